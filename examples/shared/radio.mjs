/** The radio of the studies with devices that send at once: 4 antennas each, 4 streams, a server with 16 antennas, 4 subcarriers. */
export const radioOf = (devices) => ({
  devices,
  subcarriers: 4,
  receiveAntennas: 16,
  transmitAntennas: 4,
  taps: 3,
  delaySpread: 2,
});
export const streams = 4;
export const noiseVariance = 1;
/** Seconds per OFDM symbol. */
export const symbolDuration = 7.1e-5;

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  aggregateOverTheAir,
  designBeamformers,
  overTheAirLink,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { InputError } from "../../src/core/index.ts";
import {
  type ParameterSet,
  type PartialAggregateOptions,
  partialAggregate,
} from "../../src/personal/index.ts";
import { allBits, bits, clientCases, permutation, plan, RUNS } from "./support.ts";

const sharedNames = ["block.adapter.down", "block.adapter.up", "norm"];

function flat(set: ParameterSet): Float64Array {
  return Float64Array.from(sharedNames.flatMap((name) => [...set[name]!]));
}

function only(set: ParameterSet, names: readonly string[]): ParameterSet {
  return Object.fromEntries(names.filter((name) => name in set).map((name) => [name, set[name]!]));
}

describe("exact aggregation", () => {
  it("leaves private and frozen tensors as they are, bit for bit, and copies", () => {
    fc.assert(
      fc.property(clientCases(), ({ clients, weights }) => {
        const before = clients.map(allBits);
        const result = partialAggregate({ clients, plan, weights });
        expect(clients.map(allBits)).toEqual(before);
        result.clients.forEach((client, k) => {
          expect(Object.keys(client)).toEqual(Object.keys(clients[k]!));
          for (const [name, tensor] of Object.entries(client)) {
            expect(tensor.constructor).toBe(clients[k]![name]!.constructor);
            expect(tensor.buffer).not.toBe(clients[k]![name]!.buffer);
            const like = sharedNames.includes(name) ? result.shared[name]! : clients[k]![name]!;
            expect(bits(tensor)).toEqual(bits(like));
          }
        });
        expect(Object.keys(result.shared)).toEqual(sharedNames);
        expect(result.entries).toBe(15);
      }),
      RUNS,
    );
  });

  it("is in the convex hull of the clients that have weight, entry by entry", () => {
    fc.assert(
      fc.property(clientCases(300), ({ clients, weights }) => {
        const mean = flat(partialAggregate({ clients, plan, weights }).shared);
        const heard = clients.filter((_, k) => weights[k]! > 0).map(flat);
        mean.forEach((x, i) => {
          expect(x).toBeGreaterThanOrEqual(Math.min(...heard.map((v) => v[i]!)));
          expect(x).toBeLessThanOrEqual(Math.max(...heard.map((v) => v[i]!)));
        });
      }),
      RUNS,
    );
  });

  it("is idempotent, and the identity for one client, to the bit", () => {
    fc.assert(
      fc.property(clientCases(300), fc.nat({ max: 5 }), ({ clients, weights }, chosen) => {
        const one = clients[chosen % clients.length]!;
        const same = clients.map((client) => ({ ...client, ...only(one, sharedNames) }));
        const copies = partialAggregate({ clients: same, plan, weights });
        expect(allBits(copies.shared)).toEqual(allBits(only(one, sharedNames)));
        const again = partialAggregate({ clients: copies.clients, plan, weights });
        expect(again.clients.map(allBits)).toEqual(copies.clients.map(allBits));
        // a client of odd index has no head, which the plan would ask for
        const alone = partialAggregate({ clients: [{ head: new Float64Array(1), ...one }], plan });
        expect(allBits(alone.shared)).toEqual(allBits(only(one, sharedNames)));
        const silenced = partialAggregate({
          clients,
          plan,
          weights: clients.map((_, k) => (k === chosen % clients.length ? 3 : 0)),
        });
        expect(allBits(silenced.shared)).toEqual(allBits(only(one, sharedNames)));
      }),
      RUNS,
    );
  });

  it("does not depend on the order of the clients, to the bit", () => {
    fc.assert(
      fc.property(clientCases(), fc.nat(), fc.boolean(), ({ clients, weights }, seed, uniform) => {
        const order = permutation(clients.length, seed);
        const used = uniform ? weights.map(() => 1) : weights;
        const a = partialAggregate({ clients, plan, weights: used });
        const b = partialAggregate({
          clients: order.map((k) => clients[k]!),
          plan,
          weights: order.map((k) => used[k]!),
        });
        expect(allBits(b.shared)).toEqual(allBits(a.shared));
        expect(b.weights).toEqual(order.map((k) => a.weights[k]));
        b.clients.forEach((client, i) => {
          expect(allBits(client)).toEqual(allBits(a.clients[order[i]!]!));
        });
      }),
      RUNS,
    );
  });

  it("does not depend on the scale of the weights: to the bit for counts, to rounding otherwise", () => {
    fc.assert(
      fc.property(clientCases(), fc.integer({ min: 1, max: 1e6 }), ({ clients, weights }, factor) => {
        const a = partialAggregate({ clients, plan, weights });
        const b = partialAggregate({ clients, plan, weights: weights.map((w) => w * factor) });
        expect(allBits(b.shared)).toEqual(allBits(a.shared));
        const c = partialAggregate({ clients, plan, weights: weights.map((w) => (w * factor) / 7e5) });
        const size = Math.max(...clients.map((client) => Math.max(...flat(client).map(Math.abs))));
        const exact = clients[0]!.norm!.BYTES_PER_ELEMENT === 8 ? 1e-15 : 1e-7;
        flat(c.shared).forEach((x, i) => {
          expect(Math.abs(x - flat(a.shared)[i]!)).toBeLessThanOrEqual(8 * exact * size);
        });
        expect(a.weights.reduce((sum, w) => sum + w, 0)).toBeCloseTo(1, 14);
      }),
      RUNS,
    );
  });

  it("is federated averaging where all is shared, and local training where nothing is", () => {
    fc.assert(
      fc.property(clientCases(), ({ clients, weights }) => {
        const models = clients.map((client) => only(client, sharedNames));
        const all = partialAggregate({ clients: models, plan: { rest: "shared" }, weights });
        const total = weights.reduce((sum, w) => sum + w, 0);
        const single = models[0]!.norm instanceof Float32Array;
        for (const name of sharedNames) {
          const mean = models[0]![name]!.map((_, i) => {
            return models.reduce((sum, model, k) => sum + (weights[k]! / total) * model[name]![i]!, 0);
          });
          const size = Math.max(...models.map((model) => Math.max(...[...model[name]!].map(Math.abs))));
          all.shared[name]!.forEach((x, i) => {
            expect(Math.abs(x - mean[i]!)).toBeLessThanOrEqual((single ? 2e-7 : 1e-15) * 4 * size);
          });
        }
        const none = partialAggregate({ clients, plan: { rest: "private" }, weights });
        expect(none.shared).toEqual({});
        expect(none.entries).toBe(0);
        expect(none.clients.map(allBits)).toEqual(clients.map(allBits));
      }),
      RUNS,
    );
  });

  it("keeps values that overflow on the way, and the sign of zero that all agree on", () => {
    const huge = Number.MAX_VALUE;
    const client = { x: Float64Array.of(huge, -huge, -0) };
    const { shared } = partialAggregate({ clients: Array(7).fill(client), plan: { shared: "x" } });
    expect(bits(shared.x!)).toEqual(bits(client.x));
  });
});

const channel = rayleighChannel({
  devices: 3,
  subcarriers: 2,
  receiveAntennas: 4,
  transmitAntennas: 2,
  taps: 2,
  seed: 4,
});
const noiseVariance = 0.3;

describe("aggregation over the air", () => {
  it("is aggregateOverTheAir of what training changed in the shared vector, and the rest is untouched", () => {
    const cases = clientCases(1).filter(({ weights }) => weights.filter((w) => w > 0).length > 2);
    fc.assert(
      fc.property(cases, fc.nat({ max: 999 }), (given, seed) => {
        const [clients, weights] = [given.clients.slice(0, 3), given.weights.slice(0, 3)];
        fc.pre(weights.some((w) => w > 0));
        const design = designBeamformers({
          channel,
          streams: 2,
          power: 5,
          noiseVariance,
          weights,
          scheme: "alternating",
          effort: "fast",
        });
        const link = overTheAirLink({ channel, design, noiseVariance, weights });
        const send = (vectors: readonly Float64Array[]) => link.aggregate(vectors, seed);
        const result = partialAggregate({ clients, plan, weights, send, global: given.global });
        const origin = flat(given.global);
        const gradients = clients.map((client) => flat(client).map((x, i) => x - origin[i]!));
        const { estimate } = aggregateOverTheAir({
          channel,
          design,
          noiseVariance,
          weights,
          gradients,
          seed,
        });
        const sum = origin.map((x, i) => x + estimate[i]!);
        const single = clients[0]!.norm instanceof Float32Array;
        expect(flat(result.shared)).toEqual(single ? sum.map(Math.fround) : sum);
        expect(result.transmission?.estimate).toEqual(estimate);
        result.clients.forEach((client, k) => {
          for (const name of Object.keys(client)) {
            const like = sharedNames.includes(name) ? result.shared[name]! : clients[k]![name]!;
            expect(bits(client[name]!)).toEqual(bits(like));
          }
        });
      }),
      { ...RUNS, numRuns: 40 },
    );
  });

  it("with an ideal link agrees with the exact mean to rounding", () => {
    fc.assert(
      fc.property(clientCases(1), ({ clients, global, weights }) => {
        const send = (vectors: readonly Float64Array[], { weights: w }: { weights: Float64Array }) => ({
          estimate: vectors[0]!.map((_, i) => vectors.reduce((sum, v, k) => sum + w[k]! * v[i]!, 0)),
          weights,
        });
        const air = partialAggregate({ clients, plan, weights, send, global });
        const exact = flat(partialAggregate({ clients, plan, weights }).shared);
        const size = Math.max(...[...clients, global].map((set) => Math.max(...flat(set).map(Math.abs))));
        const single = clients[0]!.norm instanceof Float32Array;
        flat(air.shared).forEach((x, i) => {
          expect(Math.abs(x - exact[i]!)).toBeLessThanOrEqual((single ? 2e-7 : 1e-15) * 8 * size);
        });
      }),
      RUNS,
    );
  });

  it("errors scale with the change and not with the model", () => {
    const design = designBeamformers({ channel, streams: 2, power: 5, noiseVariance, effort: "fast" });
    const link = overTheAirLink({ channel, design, noiseVariance });
    const errorAt = (step: number): number => {
      const global = { x: Float64Array.from({ length: 64 }, (_, i) => 10 * Math.sin(i)) };
      const clients = [1, 2, 3].map((k) => ({ x: global.x.map((x, i) => x + step * Math.cos(k + i)) }));
      const given = { clients, plan: { shared: "x" } };
      const air = partialAggregate({ ...given, global, send: (v) => link.aggregate(v, 1) });
      const exact = partialAggregate(given);
      return Math.hypot(...air.shared.x!.map((x, i) => x - exact.shared.x![i]!));
    };
    expect(errorAt(1e-3) / errorAt(1)).toBeCloseTo(1e-3, 9);
    expect(errorAt(1)).toBeGreaterThan(0.1);
  });

  it("sends nothing where nothing is shared", () => {
    const send = (): never => {
      throw new Error("sent");
    };
    const clients = [{ x: Float64Array.of(1) }, { x: Float64Array.of(2, 3) }];
    const result = partialAggregate({
      clients,
      plan: { private: "x" },
      send,
      global: { y: Float64Array.of(1) },
    });
    expect(result.transmission).toBeUndefined();
    expect(result.clients).toEqual(clients);
  });
});

describe("wrong input", () => {
  const client = { x: Float64Array.of(1, 2), base: Float64Array.of(3), own: Float64Array.of(4) };
  const good = { clients: [client, client], plan: { shared: "x", private: "own" } };
  const send = (vectors: readonly Float64Array[]) => ({ estimate: vectors[0]! });
  const cases: readonly [string, Partial<PartialAggregateOptions> & object, string][] = [
    ["no clients", { clients: [] }, "clients"],
    ["a client that is none", { clients: [client, 3 as never] }, "clients[1]"],
    ["a hole in the clients", { clients: Object.assign([client], { length: 2 }) }, "clients[1]"],
    ["a missing shared tensor", { clients: [client, { own: client.own }] }, 'clients[1]["x"]'],
    ["another length", { clients: [client, { ...client, x: Float64Array.of(1) }] }, 'clients[1]["x"]'],
    ["another array type", { clients: [client, { ...client, x: Float32Array.of(1, 2) }] }, 'clients[1]["x"]'],
    [
      "shared NaN",
      { clients: [client, { ...client, x: Float64Array.of(1, Number.NaN) }] },
      'clients[1]["x"][1]',
    ],
    [
      "a frozen tensor that moved",
      { clients: [client, { ...client, base: Float64Array.of(5) }] },
      'clients[1]["base"][0]',
    ],
    [
      "a frozen tensor of another length",
      { clients: [client, { ...client, base: new Float64Array(2) }] },
      'clients[1]["base"]',
    ],
    ["a pattern without a match", { plan: { shared: "y" } }, "plan.shared"],
    ["overlapping patterns", { plan: { shared: "*", private: ["own"] } }, "plan.private[0]"],
    ["an unknown field of the plan", { plan: { public: "x" } as never }, "plan.public"],
    ["negative weights", { weights: [1, -1] }, "weights[1]"],
    ["weights of another number", { weights: [1] }, "weights"],
    ["weights of sum 0", { weights: [0, 0] }, "weights"],
    ["send without global", { send }, "global"],
    ["global without the tensor", { send, global: { base: client.base } }, 'global["x"]'],
    ["global of another length", { send, global: { x: Float64Array.of(1) } }, 'global["x"]'],
    ["global with NaN", { send, global: { x: Float64Array.of(1, Number.NaN) } }, 'global["x"][1]'],
    ["send that is no function", { send: 3 as never, global: client }, "send"],
    ["a short estimate", { send: () => ({ estimate: [1] }), global: client }, "send: estimate"],
    [
      "an estimate with NaN",
      { send: () => ({ estimate: [1, Number.NaN] }), global: client },
      "send: estimate[1]",
    ],
    [
      "other weights",
      { send: () => ({ estimate: [1, 2], weights: [1, 2] }), global: client },
      "send: weights[0]",
    ],
    ["a Promise", { send: (async () => ({ estimate: [1, 2] })) as never, global: client }, "send"],
    ["an unknown option", { link: 1 } as never, "partialAggregate.link"],
  ];
  it.each(cases)("refuses %s", (_, options, field) => {
    let found: unknown;
    try {
      partialAggregate({ ...good, ...options });
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(InputError);
    expect((found as InputError).field).toBe(field);
  });

  it("accepts frozen tensors that some clients leave out", () => {
    const { base: _, ...rest } = client;
    expect(() => partialAggregate({ ...good, clients: [rest, client] })).not.toThrow();
  });
});

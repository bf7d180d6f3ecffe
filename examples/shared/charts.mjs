/** Drawing the figures of a report. */
import { renderChart } from "airfold/figures";

/** Adds name.svg and name.png of every chart to the files of a report. */
export async function addCharts(files, charts) {
  for (const [name, chart] of Object.entries(charts)) {
    const { svg, png } = await renderChart(chart);
    files.set(`${name}.svg`, svg).set(`${name}.png`, png);
  }
  return files;
}

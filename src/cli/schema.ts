import type { Command } from "commander";
import { z } from "zod";
import { beamformSchema } from "../aircomp/index.ts";
import { scenarioSchema, trainingRecordSchema } from "../bounds/index.ts";
import { canonicalJson, checkChoice } from "../core/index.ts";

const schemas = {
  scenario: scenarioSchema,
  beamform: beamformSchema,
  "training-record": trainingRecordSchema,
};
const names = Object.keys(schemas) as (keyof typeof schemas)[];

/** `airfold schema`: JSON Schema of the inputs. */
export function schemaCommand(program: Command): void {
  program
    .command("schema")
    .description("print the JSON Schema of an input (of all of them without a name)")
    .argument("[name]", `one of ${names.join(", ")}`)
    .action((name?: string) => {
      const schemaOf = (key: keyof typeof schemas): object => ({
        title: `airfold ${key}`,
        ...z.toJSONSchema(schemas[key], { io: "input" }),
      });
      const document =
        name === undefined
          ? Object.fromEntries(names.map((key) => [key, schemaOf(key)]))
          : schemaOf(checkChoice(name, "schema", names));
      process.stdout.write(canonicalJson(document));
    });
}

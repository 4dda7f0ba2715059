// Writes the bundle, its style sheet and the licences of everything in it into the Python package.
import { build } from "esbuild";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const out = "../src/scpareto/pl/_explorer/static";
await build({
  entryPoints: [
    { in: "src/index.ts", out: "explorer" },
    { in: "src/explorer.css", out: "explorer" },
  ],
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "none",
});

const line = `${"-".repeat(80)}\n`;
const clean = (text) =>
  text
    .replace(/\r/g, "")
    .replace(/[ \t]+$/gm, "")
    .trim();
const notices = ["explorer.js contains the following packages, each under the licence that follows its name.\n"];
// regl-scatterplot ships with its dependencies built in, so everything but the build tools is listed.
const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const folder of Object.keys(packages).filter((key) => key && !packages[key].dev)) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  if (!file) throw new Error(`${name} has no licence file`);
  notices.push(`${line}${name} ${version} (${license})\n\n${clean(readFileSync(join(folder, file), "utf8"))}\n`);
}
// Code that those packages have copied into their own sources.
for (const file of readdirSync("licenses").sort()) {
  const text = clean(readFileSync(join("licenses", file), "utf8"));
  notices.push(`${line}${file.replace(/\.txt$/, "")}, in regl-scatterplot\n\n${text}\n`);
}
writeFileSync(join(out, "THIRD_PARTY_LICENSES.txt"), notices.join("\n"));

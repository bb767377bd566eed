import { build } from "esbuild";

const debug = process.argv.includes("--debug");

await build({
  entryPoints: ["src/extension.ts"],
  outfile: "out/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: !debug,
  sourcemap: debug,
  legalComments: "eof",
  logLevel: "warning",
});

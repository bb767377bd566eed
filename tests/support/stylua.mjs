// Formats Lua files as their stylua.toml says: node stylua.mjs PACKAGE SETTINGS --check|--write FILE…
// Prints the files that were not formatted.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [folder, settingsFile, mode, ...files] = process.argv.slice(2)
const stylua = createRequire(`${folder}/`)('@johnnymorganz/stylua')
const settings = JSON.parse(settingsFile)

function configuration() { // each is good for one call
  const config = stylua.Config.new()
  config.syntax = stylua.LuaVersion[settings.syntax]
  config.column_width = settings.column_width
  config.indent_type = stylua.IndentType[settings.indent_type]
  config.indent_width = settings.indent_width
  config.quote_style = stylua.QuoteStyle[settings.quote_style]
  return config
}

for (const file of files) {
  const before = readFileSync(file, 'utf8')
  const after = stylua.formatCode(before, configuration(), undefined, stylua.OutputVerification.Full)
  if (before !== after) {
    console.log(file)
    if (mode === '--write') writeFileSync(file, after)
  }
}

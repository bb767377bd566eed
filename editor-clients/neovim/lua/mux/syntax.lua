--- Highlight lines that are in no buffer by their filetype: with its treesitter parser if there is one, else with its syntax
--- file.
local sanitize = require('mux.sanitize')

local M = {}

--- Maximum bytes of a text that is highlighted.
local MAX_BYTES = 20000
--- Maximum bytes of a line that is highlighted by a syntax file, as with 'synmaxcol'.
local MAX_COLUMNS = 300
--- Maximum number of cached texts.
local MAX_CACHED = 300

---@alias mux.Chunk [string, string|string[]] virtual text and its groups

---@type table<string, (string|false)[][]> by text: for each line the group of each byte
local cache = {}
local count = 0
---@type table<string, integer> by filetype: a hidden buffer with its syntax
local scratch = {}

---@param filetype string
---@return string? language
local function language_of(filetype)
  local language = vim.treesitter.language.get_lang(filetype)
  if not language or not vim.treesitter.query.get then
    return nil
  end
  local found, added = pcall(vim.treesitter.language.add, language)
  if found and added ~= false and pcall(vim.treesitter.get_string_parser, '', language) then
    return language
  end
end

---@param lines string[]
---@param language string
---@return (string|false)[][]?
local function by_treesitter(lines, language)
  local text = table.concat(lines, '\n')
  local query = vim.treesitter.query.get(language, 'highlights')
  local tree = query and (vim.treesitter.get_string_parser(text, language):parse() or {})[1]
  if not query or not tree then
    return nil
  end
  local groups = {} ---@type (string|false)[][]
  for row = 1, #lines do
    groups[row] = {}
  end
  for id, node in query:iter_captures(tree:root(), text, 0, -1) do
    local name = query.captures[id]
    if not name:find('^_') and name ~= 'spell' and name ~= 'nospell' then
      local first, from, last, to = node:range()
      for row = first, math.min(last, #lines - 1) do
        for byte = row == first and from + 1 or 1, row == last and to or #lines[row + 1] do
          groups[row + 1][byte] = '@' .. name .. '.' .. language
        end
      end
    end
  end
  return groups
end

---@param filetype string
---@return integer? buf
local function scratch_of(filetype)
  local buf = scratch[filetype]
  if not (buf and vim.api.nvim_buf_is_valid(buf)) then
    buf = vim.api.nvim_create_buf(false, true)
    scratch[filetype] = buf
    -- Setting the option loads the syntax file, without filetype plugins and language servers.
    if not pcall(vim.api.nvim_set_option_value, 'syntax', filetype, { buf = buf }) then
      return nil
    end
  end
  return buf
end

---@param lines string[]
---@param filetype string
---@return (string|false)[][]?
local function by_syntax(lines, filetype)
  local buf = vim.g.syntax_on and scratch_of(filetype)
  if not buf then
    return nil
  end
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  local groups = {} ---@type (string|false)[][]
  vim.api.nvim_buf_call(buf, function()
    for row, line in ipairs(lines) do
      groups[row] = {}
      for byte = 1, math.min(#line, MAX_COLUMNS) do
        local name = vim.fn.synIDattr(vim.fn.synID(row, byte, 1), 'name')
        groups[row][byte] = name ~= '' and name or false
      end
    end
  end)
  return groups
end

---@param lines string[]
---@param filetype string
---@return (string|false)[][]
local function groups_of(lines, filetype)
  local text = table.concat(lines, '\n')
  local plain = {} ---@type (string|false)[][]
  if filetype == '' or #text > MAX_BYTES then
    return plain
  end
  local key = filetype .. '\n' .. text
  if cache[key] then
    return cache[key]
  end
  local language = language_of(filetype)
  local done, groups = pcall(function()
    return language and by_treesitter(lines, language) or by_syntax(lines, filetype)
  end)
  groups = done and groups or plain
  if count >= MAX_CACHED then
    cache, count = {}, 0
  end
  cache[key], count = groups, count + 1
  return groups
end

---@param line string
---@param groups (string|false)[]
---@param base string
---@param tabstop integer
---@param difference [integer, integer]? the differing bytes, from 0, the end excluded
---@param difference_group string? their group
---@return mux.Chunk[]
local function chunks_of(line, groups, base, tabstop, difference, difference_group)
  local chunks = {} ---@type mux.Chunk[]
  local column = 0
  local from_byte, to_byte = unpack(difference or { 0, 0 })
  local function is_different(byte)
    return byte > from_byte and byte <= to_byte
  end
  local function add(piece, group, different)
    if piece:find('\t', 1, true) then
      piece = piece:gsub('[^\t]*\t?', function(part)
        local words, tabs = part:gsub('\t', '')
        column = column + vim.api.nvim_strwidth(words)
        if tabs == 0 then
          return words
        end
        local blanks = tabstop - column % tabstop
        column = column + blanks
        return words .. (' '):rep(blanks)
      end)
    else
      column = column + vim.api.nvim_strwidth(piece)
    end
    local stack = { base } ---@type string[]
    if group then
      table.insert(stack, group)
    end
    if different then
      table.insert(stack, difference_group)
    end
    table.insert(chunks, { sanitize.line(piece), stack })
  end
  local from = 1
  for byte = 2, #line + 1 do
    -- Split only between characters, which may have several bytes.
    local starts = byte > #line or bit.band(line:byte(byte), 0xC0) ~= 0x80
    local other = byte > #line
      or (groups[byte] or false) ~= (groups[from] or false)
      or is_different(byte) ~= is_different(from)
    if starts and other then
      add(line:sub(from, byte - 1), groups[from], is_different(from))
      from = byte
    end
  end
  return chunks
end

--- Split a text into lines.
---@param text string
---@return string[]
function M.split(text)
  return vim.split((text:gsub('\r?\n$', '')), '\r?\n')
end

--- Return the first lines of a text as chunks of virtual text. The group `base` is the background of all.
---@param buf integer the buffer that shows them, for its filetype
---@param text string
---@param base string
---@param max_lines integer
---@param differences (mux.WordDiff|false)[] the word diff of each line
---@param difference_group string the group of differing bytes
---@return mux.Chunk[][]
function M.lines(buf, text, base, max_lines, differences, difference_group)
  local lines = vim.list_slice(M.split(text), 1, max_lines)
  -- With a reverse-video group, the colours of the syntax would become backgrounds.
  local is_reverse = vim.api.nvim_get_hl(0, { name = base, link = false }).reverse
  local groups = is_reverse and {} or groups_of(lines, vim.bo[buf].filetype)
  local made = {} ---@type mux.Chunk[][]
  for row, line in ipairs(lines) do
    local difference = differences[row]
    made[row] = chunks_of(
      line,
      groups[row] or {},
      base,
      vim.bo[buf].tabstop,
      difference and difference.added or nil,
      difference_group
    )
  end
  return made
end

return M

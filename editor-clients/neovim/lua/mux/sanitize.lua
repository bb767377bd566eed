--- Neutralise text from agents: make control characters visible.
local M = {}

--- Patterns of UTF-8 characters that control a terminal or the reading order: C1 controls, zero-width and direction marks,
--- line separators, the byte order mark.
local CONTROLS = {
  '\194[\128-\159]',
  '\226\128[\139\142\143\168-\174]',
  '\226\129[\160-\169]',
  '\239\187\191',
}

---@param character string
---@return string
local function caret(character)
  return '^' .. string.char(bit.bxor(character:byte(), 64))
end

---@param character string
---@return string
local function code_point(character)
  return ('<%04x>'):format(vim.fn.char2nr(character, true))
end

--- Return the text with visible control characters. Line ends and tabs stay.
---@param text string
---@return string
function M.text(text)
  local sanitized = text:gsub('[%z\1-\8\11-\31\127]', caret)
  if sanitized:find('[\194\226\239]') then
    for _, pattern in ipairs(CONTROLS) do
      sanitized = sanitized:gsub(pattern, code_point)
    end
  end
  return sanitized
end

--- Return the text as one line, with visible control characters.
---@param text string
---@return string
function M.line(text)
  return (M.text(text):gsub('%s*\n%s*', ' '):gsub('\t', ' '))
end

--- Return the text as one line, cut to a display width.
---@param text string
---@param width integer
---@return string
function M.short(text, width)
  local line = M.line(text)
  if vim.fn.strdisplaywidth(line) <= width then
    return line
  end
  return vim.fn.strcharpart(line, 0, width - 1) .. '…'
end

--- Return the lines of a text, with visible control characters.
---@param text string
---@return string[]
function M.lines(text)
  local lines = vim.split(M.text((text:gsub('\r\n', '\n'))), '\n', { plain = true })
  if lines[#lines] == '' then
    table.remove(lines)
  end
  return lines
end

--- Return the text as one line for a 'statusline', with `%` escaped.
---@param text string
---@return string
function M.statusline(text)
  return (M.line(text):gsub('%%', '%%%%'))
end

return M

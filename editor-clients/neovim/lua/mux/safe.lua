--- Text that an agent chose, made into text that drives nothing.
local M = {}

--- Signs that a terminal or the order of reading could be driven by, as UTF-8: C1 controls, marks of width zero and of
--- direction, line separators, the byte order mark.
local DRIVING = {
  '\194[\128-\159]',
  '\226\128[\139\142\143\168-\174]',
  '\226\129[\160-\169]',
  '\239\187\191',
}

---@param sign string
---@return string
local function caret(sign)
  return '^' .. string.char(bit.bxor(sign:byte(), 64))
end

---@param sign string
---@return string
local function spelt(sign)
  return ('<%04x>'):format(vim.fn.char2nr(sign, true))
end

--- A text with nothing in it that drives a screen. Line ends and tabs stay.
---@param text string
---@return string
function M.text(text)
  local harmless = text:gsub('[%z\1-\8\11-\31\127]', caret)
  if harmless:find('[\194\226\239]') then
    for _, driving in ipairs(DRIVING) do
      harmless = harmless:gsub(driving, spelt)
    end
  end
  return harmless
end

--- The same as one line.
---@param text string
---@return string
function M.line(text)
  return (M.text(text):gsub('%s*\n%s*', ' '):gsub('\t', ' '))
end

--- The same, at most so many characters wide.
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

--- The lines of a text.
---@param text string
---@return string[]
function M.lines(text)
  local lines = vim.split(M.text((text:gsub('\r\n', '\n'))), '\n', { plain = true })
  if lines[#lines] == '' then
    table.remove(lines)
  end
  return lines
end

--- A text as it stands in a 'statusline', where `%` would be more than a sign.
---@param text string
---@return string
function M.statusline(text)
  return (M.line(text):gsub('%%', '%%%%'))
end

return M

--- Find the differing part of changed lines.
local M = {}

--- Lines with less than 1 / MIN_COMMON of their bytes in common count as wholly different.
local MIN_COMMON = 3

--- Return the differing bytes of a removed line and of the inserted one, from 0, the end excluded.
---@class mux.WordDiff
---@field removed [integer, integer]
---@field added [integer, integer]

---@param text string
---@param at integer
---@return boolean
local function is_character_start(text, at)
  return bit.band(text:byte(at) or 0, 0xC0) ~= 0x80
end

---@param one string
---@param other string
---@return mux.WordDiff|false
local function between(one, other)
  local limit = math.min(#one, #other)
  local front, back = 0, 0
  while front < limit and one:byte(front + 1) == other:byte(front + 1) do
    front = front + 1
  end
  while front > 0 and not (is_character_start(one, front + 1) and is_character_start(other, front + 1)) do
    front = front - 1
  end
  while back < limit - front and one:byte(#one - back) == other:byte(#other - back) do
    back = back + 1
  end
  while back > 0 and not is_character_start(one, #one - back + 1) do
    back = back - 1
  end
  local indent = #(one:match('^%s*') or '')
  if (math.max(front - indent, 0) + back) * MIN_COMMON < math.max(#one, #other) - indent then
    return false
  end
  return { removed = { front, #one - back }, added = { front, #other - back } }
end

--- Return the difference of each pair of lines, false for wholly different ones. Empty where the numbers of lines differ.
---@param removed string[]
---@param added string[]
---@return (mux.WordDiff|false)[]
function M.lines(removed, added)
  local made = {} ---@type (mux.WordDiff|false)[]
  if #removed == #added then
    for row, one in ipairs(removed) do
      made[row] = between(one, assert(added[row]))
    end
  end
  return made
end

return M

--- What is different within lines that would be others.
local M = {}

--- Lines that have less than one part in so many in common are others altogether.
local COMMON = 3

--- What is different in a line that would go and in the one that would come in its place: bytes, from 0 and without
--- the last.
---@class mux.Emphasis
---@field removed [integer, integer]
---@field added [integer, integer]

---@param text string
---@param at integer
---@return boolean
local function begins_character(text, at)
  return bit.band(text:byte(at) or 0, 0xC0) ~= 0x80
end

---@param one string
---@param other string
---@return mux.Emphasis|false
local function between(one, other)
  local most = math.min(#one, #other)
  local front, back = 0, 0
  while front < most and one:byte(front + 1) == other:byte(front + 1) do
    front = front + 1
  end
  while front > 0 and not (begins_character(one, front + 1) and begins_character(other, front + 1)) do
    front = front - 1
  end
  while back < most - front and one:byte(#one - back) == other:byte(#other - back) do
    back = back + 1
  end
  while back > 0 and not begins_character(one, #one - back + 1) do
    back = back - 1
  end
  local indent = #(one:match('^%s*') or '')
  if (math.max(front - indent, 0) + back) * COMMON < math.max(#one, #other) - indent then
    return false
  end
  return { removed = { front, #one - back }, added = { front, #other - back } }
end

--- What is different in each pair of lines, false for those that are others altogether. Empty where there are no pairs.
---@param removed string[]
---@param added string[]
---@return (mux.Emphasis|false)[]
function M.of(removed, added)
  local made = {} ---@type (mux.Emphasis|false)[]
  if #removed == #added then
    for row, one in ipairs(removed) do
      made[row] = between(one, assert(added[row]))
    end
  end
  return made
end

return M

--- Draw one change as an inline diff: highlight the lines to be removed, and show the inserted ones as virtual lines.
local config = require('mux.config')
local sanitize = require('mux.sanitize')
local syntax = require('mux.syntax')
local word_diff = require('mux.word_diff')

local M = {}

local MAX_AGENT_WIDTH = 40
local MAX_KIND_WIDTH = 60
local MAX_REASON_WIDTH = 80

--- The sign and the highlight groups of a change.
---@class mux.Look
---@field sign string?
---@field sign_group string
---@field removed string
---@field added string
---@field removed_text string
---@field added_text string

--- A change with everything that drawing it needs, computed once.
---@class mux.Drawing
---@field at mux.PlaceAt
---@field look mux.Look
---@field removed string[] the lines to be removed
---@field differences (mux.WordDiff|false)[] the word diff of each line

---@param variant mux.protocol.VariantShape
---@return mux.Look
local function look_of(variant)
  local signs = config.get().review.signs or {}
  if variant.status == 'conflict' then
    return {
      sign = signs.conflict,
      sign_group = 'MuxSignConflict',
      removed = 'MuxConflict',
      added = 'MuxConflictAdd',
      removed_text = 'MuxConflict',
      added_text = 'MuxConflictAdd',
    }
  end
  local kind = variant.added == '' and 'delete' or variant.removed == '' and 'add' or 'change'
  local group = ({ add = 'MuxSignAdd', change = 'MuxSignChange', delete = 'MuxSignDelete' })[kind]
  return {
    sign = signs[kind],
    sign_group = group,
    removed = 'MuxDelete',
    added = 'MuxAdd',
    removed_text = 'MuxDeleteText',
    added_text = 'MuxAddText',
  }
end

--- Return the run and the agent of a change, as virtual text.
---@param place mux.protocol.PlaceShape
---@param variant mux.protocol.VariantShape
---@return [string, string][]
local function label_of(place, variant)
  local words = { variant.run, sanitize.short(variant.agent, MAX_AGENT_WIDTH) }
  if variant.total > 1 then
    table.insert(words, ('%d/%d agree'):format(variant.agreed, variant.total))
  end
  local open = vim.tbl_filter(function(one)
    return one.status == 'pending' or one.status == 'conflict'
  end, place.variants)
  if #open > 1 then
    for number, one in ipairs(open) do
      if one == variant then
        table.insert(words, ('variant %d of %d'):format(number, #open))
      end
    end
  end
  if variant.hunk == nil or variant.what:find('^%a') then
    table.insert(words, 1, sanitize.short(variant.what, MAX_KIND_WIDTH))
  end
  local chunks = { { '  ' .. table.concat(words, ' · '), 'MuxLabel' } }
  if variant.status == 'conflict' then
    table.insert(chunks, 1, { '  ⚠ ' .. sanitize.short(variant.reason or 'conflict', MAX_REASON_WIDTH), 'MuxReason' })
  end
  return config.get().review.labels and chunks or vim.list_slice(chunks, 1, #chunks - 1)
end

---@param chunks [string, any][]
---@return integer
local function width_of(chunks)
  local width = 0
  for _, chunk in ipairs(chunks) do
    width = width + vim.api.nvim_strwidth(chunk[1])
  end
  return width
end

--- Return the inserted lines, as virtual lines as wide as the screen; `label` follows the first.
---@param buf integer
---@param drawing mux.Drawing
---@param label [string, string][]?
---@return [string, any][][]
local function virtual_lines(buf, drawing, label)
  local max_lines, group, added = config.get().review.max_lines, drawing.look.added, drawing.at.variant.added
  local lines = syntax.lines(buf, added, group, max_lines, drawing.differences, drawing.look.added_text)
  local made = {}
  for number, line in ipairs(lines) do
    local chunks = vim.list_extend({}, line)
    if number == 1 and label then
      for _, chunk in ipairs(label) do
        table.insert(chunks, { chunk[1], { group, chunk[2] } })
      end
    end
    table.insert(chunks, { (' '):rep(math.max(0, vim.o.columns - width_of(chunks))), group })
    made[number] = chunks
  end
  local _, count = added:gsub('\n', '\n')
  if count > max_lines then
    table.insert(made, { { ('… %d more lines: :Mux diff shows them'):format(count - max_lines), 'MuxLabel' } })
  end
  return made
end

--- Prepare the drawing of a change.
---@param at mux.PlaceAt
---@return mux.Drawing
function M.prepare(at)
  local variant = at.variant
  local removed = syntax.split(variant.removed)
  return {
    at = at,
    look = look_of(variant),
    removed = removed,
    differences = variant.status == 'pending' and word_diff.lines(removed, syntax.split(variant.added)) or {},
  }
end

--- Draw the lines to be removed, from row `first` to row `last` only.
---@param buf integer
---@param namespace integer
---@param drawing mux.Drawing
---@param first integer
---@param last integer
function M.draw_removed(buf, namespace, drawing, first, last)
  local at, look = drawing.at, drawing.look
  for row = math.max(at.first, first), math.min(at.stop - 1, last, vim.api.nvim_buf_line_count(buf) - 1) do
    vim.api.nvim_buf_set_extmark(buf, namespace, row, 0, {
      line_hl_group = at.variant.hunk and look.removed or nil,
      sign_text = look.sign,
      sign_hl_group = look.sign and look.sign_group or nil,
      virt_text = row == at.first and label_of(at.place, at.variant) or nil,
      virt_text_pos = 'eol',
      hl_mode = 'combine',
      priority = 120,
    })
    local number = row - at.first + 1
    local different = drawing.differences[number]
    if different and vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] == drawing.removed[number] then
      vim.api.nvim_buf_set_extmark(buf, namespace, row, different.removed[1], {
        end_col = different.removed[2],
        hl_group = look.removed_text,
        priority = 121,
      })
    end
  end
end

--- Draw the inserted lines.
---@param buf integer
---@param namespace integer
---@param drawing mux.Drawing
function M.draw_added(buf, namespace, drawing)
  local at, look = drawing.at, drawing.look
  local is_insertion = at.stop == at.first
  local label = is_insertion and label_of(at.place, at.variant) or nil
  local lines = at.variant.added ~= '' and virtual_lines(buf, drawing, label) or {}
  if label and #lines == 0 then
    lines = { label } -- a change of the file itself, which has no lines
  end
  if #lines == 0 then
    return
  end
  local above = is_insertion and at.first == 0
  local row = above and 0 or math.min(math.max(at.stop - 1, 0), vim.api.nvim_buf_line_count(buf) - 1)
  vim.api.nvim_buf_set_extmark(buf, namespace, row, 0, {
    virt_lines = lines,
    virt_lines_above = above,
    sign_text = is_insertion and look.sign or nil,
    sign_hl_group = is_insertion and look.sign and look.sign_group or nil,
    priority = 120,
  })
end

return M

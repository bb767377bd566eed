--- The inline diff: the changes that wait, drawn in the text itself. Only those near what is on the screen are drawn;
--- they move with the text, and are drawn anew when the window has scrolled away from them or they have changed.
local config = require('mux.config')
local emphasis = require('mux.emphasis')
local highlighting = require('mux.highlighting')
local places = require('mux.places')
local safe = require('mux.safe')

local M = {}

local drawn = vim.api.nvim_create_namespace('mux.inline')

--- Screens above and below the one that is seen that are drawn with it.
local MARGIN = 1

---@type table<integer, { first: integer, last: integer }[]> the lines that are drawn, by buffer
local covered = {}
---@type table<number, string> by window: of what change the lines above the first line were shown
local shown_above = {}

--- How a change is drawn.
---@class mux.Look
---@field sign string?
---@field sign_group string
---@field removed string
---@field added string
---@field removed_text string
---@field added_text string

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

--- Whose change it is, as pieces of virtual text.
---@param place mux.protocol.PlaceShape
---@param variant mux.protocol.VariantShape
---@return [string, string][]
local function label_of(place, variant)
  local words = { variant.run, safe.short(variant.agent, 40) }
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
    table.insert(words, 1, safe.short(variant.what, 60))
  end
  local chunks = { { '  ' .. table.concat(words, ' · '), 'MuxLabel' } }
  if variant.status == 'conflict' then
    table.insert(chunks, 1, { '  ⚠ ' .. safe.short(variant.reason or 'conflict', 80), 'MuxReason' })
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

--- The lines that would come, as virtual lines as wide as the screen; `label` behind the first.
---@param buf integer
---@param variant mux.protocol.VariantShape
---@param look mux.Look
---@param differences (mux.Emphasis|false)[]
---@param label [string, string][]?
---@return [string, any][][]
local function added_lines(buf, variant, look, differences, label)
  local most, group = config.get().review.max_lines, look.added
  local lines = highlighting.lines(buf, variant.added, group, most, differences, look.added_text)
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
  local _, count = variant.added:gsub('\n', '\n')
  if count > most then
    table.insert(made, { { ('… %d more lines: :Mux diff shows them'):format(count - most), 'MuxLabel' } })
  end
  return made
end

--- What is different within each line of a change that goes.
---@param variant mux.protocol.VariantShape
---@return (mux.Emphasis|false)[]
local function differences_of(variant)
  if variant.status ~= 'pending' then
    return {}
  end
  return emphasis.of(highlighting.split(variant.removed), highlighting.split(variant.added))
end

--- Draw the lines of a change that would go.
---@param buf integer
---@param found mux.Found
---@param first integer no line in front of this one is decorated
---@param last integer nor one behind this
local function draw_going(buf, found, first, last)
  local variant = found.variant
  local look = look_of(variant)
  local removed, differences = highlighting.split(variant.removed), differences_of(variant)
  for row = math.max(found.first, first), math.min(found.stop - 1, last, vim.api.nvim_buf_line_count(buf) - 1) do
    vim.api.nvim_buf_set_extmark(buf, drawn, row, 0, {
      line_hl_group = variant.hunk and look.removed or nil,
      sign_text = look.sign,
      sign_hl_group = look.sign and look.sign_group or nil,
      virt_text = row == found.first and label_of(found.place, variant) or nil,
      virt_text_pos = 'eol',
      hl_mode = 'combine',
      priority = 120,
    })
    local number = row - found.first + 1
    local different = differences[number]
    if different and vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] == removed[number] then
      vim.api.nvim_buf_set_extmark(buf, drawn, row, different.removed[1], {
        end_col = different.removed[2],
        hl_group = look.removed_text,
        priority = 121,
      })
    end
  end
end

--- Draw the lines of a change that would come.
---@param buf integer
---@param found mux.Found
local function draw_coming(buf, found)
  local variant = found.variant
  local look = look_of(variant)
  local only_comes = found.stop == found.first
  local label = only_comes and label_of(found.place, variant) or nil
  local shown = variant.added ~= '' and added_lines(buf, variant, look, differences_of(variant), label) or {}
  if label and #shown == 0 then
    shown = { label } -- a change that is not text
  end
  if #shown == 0 then
    return
  end
  local above = only_comes and found.first == 0
  local row = above and 0 or math.min(math.max(found.stop - 1, 0), vim.api.nvim_buf_line_count(buf) - 1)
  vim.api.nvim_buf_set_extmark(buf, drawn, row, 0, {
    virt_lines = shown,
    virt_lines_above = above,
    sign_text = only_comes and look.sign or nil,
    sign_hl_group = only_comes and look.sign and look.sign_group or nil,
    priority = 120,
  })
end

---@param found mux.Found
---@return string
local function name_of(found)
  return ('%s %s'):format(found.variant.run, found.variant.hunk or found.variant.what)
end

--- The change whose lines come in front of the first line of a buffer.
---@param buf integer
---@return mux.Found?
local function top_of(buf)
  return vim.iter(places.waiting(buf, 0, 0)):find(function(found)
    return found.stop == 0
  end)
end

--- Lines above the first line of a buffer are only seen when a window that shows that line is told to show them.
---@param win integer
function M.show_above(win)
  local top = top_of(vim.api.nvim_win_get_buf(win))
  if not top then
    return
  end
  shown_above[win] = name_of(top)
  vim.api.nvim_win_call(win, function()
    local view = vim.fn.winsaveview()
    if view.topline == 1 then
      local _, count = top.variant.added:gsub('\n', '\n')
      vim.fn.winrestview({ topline = 1, topfill = math.min(math.max(count, 1), math.floor(vim.fn.winheight(0) / 2)) })
    end
  end)
end

--- The same, of a change of which it was not done: who has scrolled them away does not want them back at each drawing.
---@param win integer
---@param buf integer
local function show_above_once(win, buf)
  local top = top_of(buf)
  if top and shown_above[win] ~= name_of(top) then
    M.show_above(win)
  end
end

---@param win integer
---@return integer first
---@return integer last
local function seen(win)
  local info = vim.fn.getwininfo(win)[1]
  return info.topline - 1, info.botline - 1
end

---@param buf integer
---@return integer[]
local function windows(buf)
  return vim.fn.win_findbuf(buf)
end

--- Whether a buffer is seen in a diff, in which our lines would stand beside those that they are compared with.
---@param buf integer
---@return boolean
local function is_in_diff(buf)
  return vim.iter(windows(buf)):any(function(win)
    return vim.wo[win].diff
  end)
end

--- The lines near the screen of the windows that show a buffer, each line once.
---@param buf integer
---@return { first: integer, last: integer }[]
local function near_screen(buf)
  local end_line = vim.api.nvim_buf_line_count(buf) - 1
  local near = {} ---@type { first: integer, last: integer }[]
  for _, win in ipairs(windows(buf)) do
    local first, last = seen(win)
    local margin = MARGIN * vim.api.nvim_win_get_height(win)
    table.insert(near, { first = math.max(0, first - margin), last = math.min(end_line, last + margin) })
  end
  table.sort(near, function(one, other)
    return one.first < other.first
  end)
  local apart = {} ---@type { first: integer, last: integer }[]
  for _, lines in ipairs(near) do
    local before = apart[#apart]
    if before and lines.first <= before.last + 1 then
      before.last = math.max(before.last, lines.last)
    else
      table.insert(apart, lines)
    end
  end
  return apart
end

--- Draw what is near the screen of each window that shows a buffer, anew.
---@param buf integer
function M.draw(buf)
  vim.api.nvim_buf_clear_namespace(buf, drawn, 0, -1)
  covered[buf] = {}
  if not config.get().review.inline or places.count(buf) == 0 or is_in_diff(buf) then
    return
  end
  local done = {} ---@type table<mux.protocol.PlaceShape, true>
  covered[buf] = near_screen(buf)
  for _, lines in ipairs(covered[buf]) do
    for _, found in ipairs(places.waiting(buf, lines.first, lines.last + 1)) do
      draw_going(buf, found, lines.first, lines.last)
      if not done[found.place] then
        done[found.place] = true
        draw_coming(buf, found)
      end
    end
  end
  for _, win in ipairs(windows(buf)) do
    show_above_once(win, buf)
  end
end

---@param buf integer
---@param first integer
---@param last integer
---@return boolean
local function is_covered(buf, first, last)
  for _, lines in ipairs(covered[buf] or {}) do
    if lines.first <= first and last <= lines.last then
      return true
    end
  end
  return false
end

--- A window may show lines that are not drawn yet.
---@param win integer
local function scrolled(win)
  if not vim.api.nvim_win_is_valid(win) then
    return
  end
  local buf = vim.api.nvim_win_get_buf(win)
  if places.count(buf) > 0 and not is_covered(buf, seen(win)) then
    M.draw(buf)
  end
end

--- Where a fold is closed other lines come up, and nothing has scrolled: a window is looked at whenever it is drawn.
---@param win integer
---@param buf integer
---@param last integer
local function drawing(win, buf, last)
  local is_drawn = covered[buf] and covered[buf][1]
  if is_drawn and not is_covered(buf, last, last) and last < vim.api.nvim_buf_line_count(buf) then
    vim.schedule(function()
      scrolled(win)
    end)
  end
end

local set_up = false

function M.setup()
  if set_up then
    return
  end
  set_up = true
  local group = vim.api.nvim_create_augroup('mux.draw', {})
  vim.api.nvim_set_decoration_provider(drawn, {
    on_win = function(_, win, buf, _, last)
      drawing(win, buf, last)
      return false
    end,
  })
  vim.api.nvim_create_autocmd('WinScrolled', {
    group = group,
    callback = function()
      for name, change in pairs(vim.v.event) do
        local win = math.floor(tonumber(name) or 0)
        if win > 0 then
          scrolled(win)
          if change.topline < 0 and vim.api.nvim_win_is_valid(win) then
            M.show_above(win) -- where it has come up to the first line
          end
        end
      end
    end,
  })
  vim.api.nvim_create_autocmd('BufWinEnter', {
    group = group,
    callback = function()
      local win = vim.api.nvim_get_current_win()
      vim.schedule(function() -- where the window comes to stand is decided by then
        if vim.api.nvim_win_is_valid(win) then
          M.show_above(win)
        end
      end)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufWinEnter', 'WinEnter' }, {
    group = group,
    callback = function()
      scrolled(vim.api.nvim_get_current_win())
    end,
  })
  vim.api.nvim_create_autocmd('OptionSet', {
    group = group,
    pattern = 'diff',
    callback = function()
      M.draw(vim.api.nvim_get_current_buf())
    end,
  })
  vim.api.nvim_create_autocmd('WinClosed', {
    group = group,
    callback = function(event)
      shown_above[assert(tonumber(event.match))] = nil
    end,
  })
  vim.api.nvim_create_autocmd('BufWipeout', {
    group = group,
    callback = function(event)
      covered[event.buf] = nil
    end,
  })
end

return M

--- Keep the inline diff of the open changes up to date. Only changes near the visible lines are drawn; they move with the
--- text, and are redrawn when a window has scrolled away from them or when they have changed.
local config = require('mux.config')
local inline_diff = require('mux.inline_diff')
local places = require('mux.places')

local M = {}

local namespace = vim.api.nvim_create_namespace('mux.inline')

--- The number of screens above and below the visible one that are drawn with it.
local MARGIN = 1

---@type table<integer, { first: integer, last: integer }[]> the drawn lines, by buffer
local covered = {}
---@type table<number, string> by window: the change whose lines above the first line were shown
local shown_above = {}

---@param at mux.PlaceAt
---@return string
local function name_of(at)
  return ('%s %s'):format(at.variant.run, at.variant.hunk or at.variant.what)
end

--- Return the change that inserts lines before the first line of a buffer.
---@param buf integer
---@return mux.PlaceAt?
local function top_of(buf)
  return vim.iter(places.waiting(buf, 0, 0)):find(function(at)
    return at.stop == 0
  end)
end

--- Scroll a window so that virtual lines above the first line of its buffer are visible. Neovim does not do it by itself.
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

--- Scroll like that once for each change, so that a redraw does not bring back lines that a person has scrolled away.
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
local function visible_lines(win)
  local info = vim.fn.getwininfo(win)[1]
  return info.topline - 1, info.botline - 1
end

---@param buf integer
---@return integer[]
local function windows(buf)
  return vim.fn.win_findbuf(buf)
end

--- Return whether a window shows a buffer in diff mode, where virtual lines would not align with the other side.
---@param buf integer
---@return boolean
local function is_in_diff(buf)
  return vim.iter(windows(buf)):any(function(win)
    return vim.wo[win].diff
  end)
end

--- Return the line ranges near the visible ones of all windows on a buffer, without overlaps.
---@param buf integer
---@return { first: integer, last: integer }[]
local function ranges_to_draw(buf)
  local end_line = vim.api.nvim_buf_line_count(buf) - 1
  local near = {} ---@type { first: integer, last: integer }[]
  for _, win in ipairs(windows(buf)) do
    local first, last = visible_lines(win)
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

--- Redraw the changes near the visible lines of all windows on a buffer.
---@param buf integer
function M.draw(buf)
  vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  covered[buf] = {}
  if not config.get().review.inline or places.count(buf) == 0 or is_in_diff(buf) then
    return
  end
  local drawings = {} ---@type table<mux.protocol.PlaceShape, mux.Drawing>
  covered[buf] = ranges_to_draw(buf)
  for _, lines in ipairs(covered[buf]) do
    for _, at in ipairs(places.waiting(buf, lines.first, lines.last + 1)) do
      local known = drawings[at.place]
      local drawing = known or inline_diff.prepare(at)
      inline_diff.draw_removed(buf, namespace, drawing, lines.first, lines.last)
      if not known then
        drawings[at.place] = drawing
        inline_diff.draw_added(buf, namespace, drawing)
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

--- Draw the lines of a window, if they are not drawn yet.
---@param win integer
local function draw_window(win)
  if not vim.api.nvim_win_is_valid(win) then
    return
  end
  local buf = vim.api.nvim_win_get_buf(win)
  if places.count(buf) > 0 and not is_covered(buf, visible_lines(win)) then
    M.draw(buf)
  end
end

--- Check a window whenever Neovim draws it: closing a fold shows other lines without scrolling.
---@param win integer
---@param buf integer
---@param last integer
local function on_window(win, buf, last)
  local is_drawn = covered[buf] and covered[buf][1]
  if is_drawn and not is_covered(buf, last, last) and last < vim.api.nvim_buf_line_count(buf) then
    vim.schedule(function()
      draw_window(win)
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
  vim.api.nvim_set_decoration_provider(namespace, {
    on_win = function(_, win, buf, _, last)
      on_window(win, buf, last)
      return false
    end,
  })
  vim.api.nvim_create_autocmd('WinScrolled', {
    group = group,
    callback = function()
      for name, change in pairs(vim.v.event) do
        local win = math.floor(tonumber(name) or 0)
        if win > 0 then
          draw_window(win)
          if change.topline < 0 and vim.api.nvim_win_is_valid(win) then
            M.show_above(win) -- it may have reached the first line
          end
        end
      end
    end,
  })
  vim.api.nvim_create_autocmd('BufWinEnter', {
    group = group,
    callback = function()
      local win = vim.api.nvim_get_current_win()
      vim.schedule(function() -- the view of the window is only set after this event
        if vim.api.nvim_win_is_valid(win) then
          M.show_above(win)
        end
      end)
    end,
  })
  vim.api.nvim_create_autocmd({ 'BufWinEnter', 'WinEnter' }, {
    group = group,
    callback = function()
      draw_window(vim.api.nvim_get_current_win())
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

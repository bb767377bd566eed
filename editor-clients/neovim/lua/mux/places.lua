--- Keep the places of each attached buffer, as `mux.review.places` returns them, and their lines as the text changes since.
--- Extmarks without decoration track the lines.
local config = require('mux.config')
local connection = require('mux.connection')
local events = require('mux.events')
local timers = require('mux.timers')

local M = {}

local marks = vim.api.nvim_create_namespace('mux.places')

--- The state of a buffer.
---@class mux.Buffer
---@field uri string as last sent to the daemon
---@field places mux.protocol.PlaceShape[] sorted by line
---@field count integer number of open places
---@field after_end table<integer, true> the numbers of places after the last line
---@field requesting boolean a request is running
---@field pending boolean another request is pending
---@field changes integer number of changes of the text
---@field current integer number of changes when the places were last correct
---@field waiting fun()[] the callbacks that wait for correct places
---@field timer mux.Timer?
---@field request fun() the callback of the timer
---@field chosen table<string, { run: string, hunk: string? }> the variants that the person chose, by the first line of the place

--- A place and its current lines, from 0: `first` to `stop`, which is excluded.
---@class mux.PlaceAt
---@field place mux.protocol.PlaceShape
---@field variant mux.protocol.VariantShape the shown variant
---@field first integer
---@field stop integer

---@type table<integer, mux.Buffer>
local buffers = {}

--- Return the lines of a range: the first, and the one after the last.
---@param range mux.protocol.Range
---@return integer first
---@return integer stop
function M.lines_of(range)
  local stop = range['end'].line + (range['end'].character > 0 and 1 or 0)
  return range.start.line, math.max(stop, range.start.line)
end

---@param buf integer
---@param places mux.protocol.PlaceShape[]
local function set_places(buf, places)
  local count = vim.api.nvim_buf_line_count(buf)
  local state = buffers[buf]
  state.places, state.after_end, state.count = places, {}, 0
  vim.api.nvim_buf_clear_namespace(buf, marks, 0, -1)
  for id, place in ipairs(places) do
    state.count = state.count + (place.open and 1 or 0)
    local first, stop = M.lines_of(place.range)
    -- A mark after the last line would not move with that line: set it on that line.
    state.after_end[id] = first >= count or nil
    vim.api.nvim_buf_set_extmark(buf, marks, math.min(first, count - 1), 0, {
      id = id,
      end_row = first >= count and count - 1 or math.min(stop, count),
      end_col = 0,
      strict = false,
    })
  end
  require('mux.draw').draw(buf)
  events.emit(events.names.places_changed, { buf = buf })
end

---@param buf integer
local function request(buf)
  local state = buffers[buf]
  if not state or not connection.is_attached(buf) then
    return
  end
  if state.requesting then
    state.pending = true
    return
  end
  state.requesting, state.pending = true, false
  state.uri = vim.uri_from_bufnr(buf) -- the buffer may have been renamed
  local changes = state.changes
  connection.request('mux.review.places', { uri = state.uri }, function(result)
    if buffers[buf] ~= state then
      return
    end
    state.requesting = false
    local is_current = changes == state.changes
    -- A result for an older text is dropped: places are requested again when the person pauses typing.
    if result and is_current and vim.api.nvim_buf_is_loaded(buf) then
      state.current = changes
      set_places(buf, result.places)
    end
    if state.pending then
      return request(buf)
    end
    if is_current then
      local callbacks = state.waiting
      state.waiting = {}
      for _, callback in ipairs(callbacks) do
        callback()
      end
    end
  end)
end

---@param buf integer
---@param pause integer milliseconds
local function request_after(buf, pause)
  local state = buffers[buf]
  state.timer = state.timer or timers.new()
  state.timer:start(pause, 0, state.request)
end

--- Request the places of a buffer now, without waiting for a pause in typing.
---@param buf integer
function M.refresh_now(buf)
  if buffers[buf] then
    if buffers[buf].timer then
      buffers[buf].timer:stop()
    end
    request(buf)
  end
end

--- Call back when the places of a buffer are correct for its current text: at once, or after the daemon's response.
---@param buf integer
---@param callback fun()
function M.when_current(buf, callback)
  local state = buffers[buf]
  if not state or not connection.is_attached(buf) or (not state.requesting and state.current == state.changes) then
    return callback()
  end
  table.insert(state.waiting, callback)
  M.refresh_now(buf)
end

---@param buf integer
local function on_change(buf)
  local state = buffers[buf]
  state.changes = state.changes + 1
  -- Only the daemon adds places, and it sends an event. Typing changes the status of existing places.
  if #state.places == 0 and not state.requesting then
    state.current = state.changes
  else
    local typing = vim.api.nvim_get_mode().mode:find('^[iR]')
    request_after(buf, typing and config.get().review.delay or 10)
  end
end

---@param buf integer
local function forget(buf)
  local state = buffers[buf]
  if state and state.timer then
    state.timer:stop()
    state.timer:close()
  end
  buffers[buf] = nil
end

--- Start to track a buffer that was attached, also again after a reconnection.
---@param buf integer
function M.attach(buf)
  local state = buffers[buf]
  if not state then
    state = {
      uri = '',
      places = {},
      count = 0,
      after_end = {},
      requesting = false,
      pending = false,
      changes = 0,
      current = 0,
      waiting = {},
      chosen = {},
      request = vim.schedule_wrap(function()
        request(buf)
      end),
    }
    buffers[buf] = state
    vim.api.nvim_buf_attach(buf, false, {
      on_lines = function()
        if buffers[buf] ~= state then
          return true
        end
        on_change(buf)
      end,
      on_reload = function()
        if buffers[buf] == state then
          on_change(buf)
        end
      end,
      on_detach = function()
        if buffers[buf] == state then
          forget(buf)
        end
      end,
    })
    require('mux.keymaps').attach(buf)
    require('mux.draw').setup()
  end
  state.uri = vim.uri_from_bufnr(buf)
  state.requesting = false
  if next(state.chosen) then
    M.restore_chosen(buf)
  else
    request(buf)
  end
end

--- Send the chosen variants again after a reconnection: the daemon does not keep them.
---@param buf integer
function M.restore_chosen(buf)
  local state = buffers[buf]
  local left = vim.tbl_values(state.chosen)
  local function restore_next()
    local choice = table.remove(left)
    if not choice or not buffers[buf] then
      return request(buf)
    end
    local argument = { uri = state.uri, run = choice.run, hunk = choice.hunk }
    connection.request('mux.variant.show', argument, restore_next)
  end
  restore_next()
end

--- Request the places of changed documents.
---@param params mux.protocol.ReviewChangedParams
function M.review_changed(params)
  for buf in pairs(buffers) do
    if params.more > 0 or vim.tbl_contains(params.uris, vim.uri_from_bufnr(buf)) then
      request(buf)
    end
  end
end

--- Return the URI of a buffer as last sent to the daemon, nil where it is not attached.
---@param buf integer
---@return string?
function M.uri(buf)
  return buffers[buf] and buffers[buf].uri
end

--- Return the number of open places of a buffer.
---@param buf integer
---@return integer
function M.count(buf)
  return buffers[buf] and buffers[buf].count or 0
end

---@param place mux.protocol.PlaceShape
---@param first integer
---@param stop integer
---@return mux.PlaceAt
local function place_at(place, first, stop)
  return { place = place, variant = place.variants[place.shown + 1], first = first, stop = math.max(first, stop) }
end

--- Return the open places with their current lines; with `first` and `last`, only those that touch these lines.
---@param buf integer
---@param first? integer
---@param last? integer
---@return mux.PlaceAt[]
function M.waiting(buf, first, last)
  local state = buffers[buf]
  if not state or state.count == 0 then
    return {}
  end
  -- A place after the last line has its mark on that line.
  local from = first and { math.max(first - 1, 0), 0 } or 0
  local to = last and { last, -1 } or -1
  local found = {} ---@type mux.PlaceAt[]
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf, marks, from, to, { details = true, overlap = true })) do
    local place = state.places[mark[1]]
    if place and place.open then
      local offset = state.after_end[mark[1]] and 1 or 0
      table.insert(found, place_at(place, mark[2] + offset, (assert(mark[4]).end_row or mark[2]) + offset))
    end
  end
  table.sort(found, function(one, other)
    return one.first < other.first
  end)
  return found
end

--- Return the open places at the lines `first` to `last`. An insertion is at the line after it, or else at the one before it.
---@param buf integer
---@param first integer
---@param last integer
---@return mux.PlaceAt[]
function M.at(buf, first, last)
  local end_line = vim.api.nvim_buf_line_count(buf) - 1
  local here, beside = {}, {} ---@type mux.PlaceAt[], mux.PlaceAt[]
  for _, found in ipairs(M.waiting(buf, first, last + 1)) do
    local reach = math.min(found.first, end_line)
    if reach <= last and first <= math.max(found.stop - 1, reach) then
      table.insert(here, found)
    elseif found.stop == found.first and found.first == last + 1 then
      table.insert(beside, found)
    end
  end
  return #here > 0 and here or beside
end

--- Show another variant of a place.
---@param buf integer
---@param at mux.PlaceAt
---@param step integer number of variants forward; backward if negative
---@param done fun(result: mux.protocol.VariantShowResult)
function M.step(buf, at, step, done)
  local state = assert(buffers[buf])
  local variant = at.variant
  local argument = { uri = state.uri, run = variant.run, hunk = variant.hunk, step = step }
  connection.call('mux.variant.show', argument, function(result)
    state.chosen[('%s:%d'):format(at.place.task, at.first)] = { run = result.run, hunk = result.hunk }
    M.refresh_now(buf)
    done(result)
  end)
end

return M

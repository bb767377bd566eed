--- What there is to review in each attached buffer, as `mux.review.places` tells it, and where it has moved to since by
--- what was typed. Extmarks without decoration remember the lines.
local config = require('mux.config')
local connection = require('mux.connection')
local events = require('mux.events')
local timers = require('mux.timers')

local M = {}

local marks = vim.api.nvim_create_namespace('mux.places')

--- What is known of a buffer.
---@class mux.Buffer
---@field uri string as the daemon was told it
---@field places mux.protocol.PlaceShape[] as they follow in the text
---@field count integer how many of them wait for a decision
---@field behind table<integer, true> those of them, by number, that stand behind the last line
---@field asking boolean an answer is on its way
---@field again boolean something has happened since it was asked for
---@field changes integer how often the text has changed
---@field seen integer how often it had when the places were true
---@field wanting fun()[] what waits for the places to be true
---@field timer mux.Timer?
---@field ask fun() what the timer calls
---@field chosen table<string, { run: string, hunk: string? }> what the person wants to see, by the place's first line

--- A place and the lines where it stands now, from 0: `first` up to, without it, `stop`.
---@class mux.Found
---@field place mux.protocol.PlaceShape
---@field variant mux.protocol.VariantShape the one that is shown
---@field first integer
---@field stop integer

---@type table<integer, mux.Buffer>
local known = {}

--- The lines of a range: the first, and the one behind the last.
---@param range mux.protocol.Range
---@return integer first
---@return integer stop
function M.lines_of(range)
  local stop = range['end'].line + (range['end'].character > 0 and 1 or 0)
  return range.start.line, math.max(stop, range.start.line)
end

---@param buf integer
---@param places mux.protocol.PlaceShape[]
local function take(buf, places)
  local count = vim.api.nvim_buf_line_count(buf)
  local state = known[buf]
  state.places, state.behind, state.count = places, {}, 0
  vim.api.nvim_buf_clear_namespace(buf, marks, 0, -1)
  for id, place in ipairs(places) do
    state.count = state.count + (place.open and 1 or 0)
    local first, stop = M.lines_of(place.range)
    -- A mark behind the last line would not move with it.
    state.behind[id] = first >= count or nil
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
local function ask(buf)
  local state = known[buf]
  if not state or not connection.is_attached(buf) then
    return
  end
  if state.asking then
    state.again = true
    return
  end
  state.asking, state.again = true, false
  state.uri = vim.uri_from_bufnr(buf) -- it may have another name by now
  local changes = state.changes
  connection.request('mux.review.places', { uri = state.uri }, function(answer)
    if known[buf] ~= state then
      return
    end
    state.asking = false
    local still_true = changes == state.changes
    -- What is out of date by what was typed meanwhile is not shown; it is asked for again when the typing pauses.
    if answer and still_true and vim.api.nvim_buf_is_loaded(buf) then
      state.seen = changes
      take(buf, answer.places)
    end
    if state.again then
      return ask(buf)
    end
    if still_true then
      local wanting = state.wanting
      state.wanting = {}
      for _, go_on in ipairs(wanting) do
        go_on()
      end
    end
  end)
end

---@param buf integer
---@param pause integer milliseconds
local function ask_soon(buf, pause)
  local state = known[buf]
  state.timer = state.timer or timers.new()
  state.timer:start(pause, 0, state.ask)
end

--- Look at a buffer anew, without waiting for a pause in the typing.
---@param buf integer
function M.refresh_now(buf)
  if known[buf] then
    if known[buf].timer then
      known[buf].timer:stop()
    end
    ask(buf)
  end
end

--- Go on when the places of a buffer are those of its text as it is now: at once, or after the daemon's answer.
---@param buf integer
---@param go_on fun()
function M.when_true(buf, go_on)
  local state = known[buf]
  if not state or not connection.is_attached(buf) or (not state.asking and state.seen == state.changes) then
    return go_on()
  end
  table.insert(state.wanting, go_on)
  M.refresh_now(buf)
end

---@param buf integer
local function changed(buf)
  local state = known[buf]
  state.changes = state.changes + 1
  -- What there is to review can come to be only by the daemon, and it says so. Of what there is, typing changes how it
  -- stands to the text.
  if #state.places == 0 and not state.asking then
    state.seen = state.changes
  else
    local typing = vim.api.nvim_get_mode().mode:find('^[iR]')
    ask_soon(buf, typing and config.get().review.delay or 10)
  end
end

---@param buf integer
local function forget(buf)
  local state = known[buf]
  if state and state.timer then
    state.timer:stop()
    state.timer:close()
  end
  known[buf] = nil
end

--- A buffer is attached to the connection, be it again.
---@param buf integer
function M.attach(buf)
  local state = known[buf]
  if not state then
    state = {
      uri = '',
      places = {},
      count = 0,
      behind = {},
      asking = false,
      again = false,
      changes = 0,
      seen = 0,
      wanting = {},
      chosen = {},
      ask = vim.schedule_wrap(function()
        ask(buf)
      end),
    }
    known[buf] = state
    vim.api.nvim_buf_attach(buf, false, {
      on_lines = function()
        if known[buf] ~= state then
          return true
        end
        changed(buf)
      end,
      on_reload = function()
        if known[buf] == state then
          changed(buf)
        end
      end,
      on_detach = function()
        if known[buf] == state then
          forget(buf)
        end
      end,
    })
    require('mux.keymaps').attach(buf)
    require('mux.draw').setup()
  end
  state.uri = vim.uri_from_bufnr(buf)
  state.asking = false
  if next(state.chosen) then
    M.choose_again(buf)
  else
    ask(buf)
  end
end

--- The daemon has forgotten which variants were shown: it is told again.
---@param buf integer
function M.choose_again(buf)
  local state = known[buf]
  local left = vim.tbl_values(state.chosen)
  local function go_on()
    local choice = table.remove(left)
    if not choice or not known[buf] then
      return ask(buf)
    end
    local argument = { uri = state.uri, run = choice.run, hunk = choice.hunk }
    connection.request('mux.variant.show', argument, go_on)
  end
  go_on()
end

--- There is something else to review in these documents.
---@param params mux.protocol.ReviewChangedParams
function M.review_changed(params)
  for buf in pairs(known) do
    if params.more > 0 or vim.tbl_contains(params.uris, vim.uri_from_bufnr(buf)) then
      ask(buf)
    end
  end
end

--- The URI under which the daemon knows a buffer, nil where it does not.
---@param buf integer
---@return string?
function M.uri(buf)
  return known[buf] and known[buf].uri
end

--- How many places of a buffer wait for a decision.
---@param buf integer
---@return integer
function M.count(buf)
  return known[buf] and known[buf].count or 0
end

---@param place mux.protocol.PlaceShape
---@param first integer
---@param stop integer
---@return mux.Found
local function found_at(place, first, stop)
  return { place = place, variant = place.variants[place.shown + 1], first = first, stop = math.max(first, stop) }
end

--- The places that wait for a decision, where they stand now; of the lines `first` to `last` only.
---@param buf integer
---@param first? integer
---@param last? integer
---@return mux.Found[]
function M.waiting(buf, first, last)
  local state = known[buf]
  if not state or state.count == 0 then
    return {}
  end
  -- What stands behind the last line has its mark in it.
  local from = first and { math.max(first - 1, 0), 0 } or 0
  local to = last and { last, -1 } or -1
  local found = {} ---@type mux.Found[]
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buf, marks, from, to, { details = true, overlap = true })) do
    local place = state.places[mark[1]]
    if place and place.open then
      local behind = state.behind[mark[1]] and 1 or 0
      table.insert(found, found_at(place, mark[2] + behind, (assert(mark[4]).end_row or mark[2]) + behind))
    end
  end
  table.sort(found, function(one, other)
    return one.first < other.first
  end)
  return found
end

--- The places that wait and that the lines `first` to `last` touch. What would only come stands at the line in front of
--- which it would come, or else at the one behind which.
---@param buf integer
---@param first integer
---@param last integer
---@return mux.Found[]
function M.at(buf, first, last)
  local end_line = vim.api.nvim_buf_line_count(buf) - 1
  local here, beside = {}, {} ---@type mux.Found[], mux.Found[]
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

--- Have another variant shown at a place: the one so many steps on.
---@param buf integer
---@param found mux.Found
---@param step integer
---@param done fun(answer: mux.protocol.VariantShowResult)
function M.step(buf, found, step, done)
  local state = assert(known[buf])
  local variant = found.variant
  local argument = { uri = state.uri, run = variant.run, hunk = variant.hunk, step = step }
  connection.ask('mux.variant.show', argument, function(answer)
    state.chosen[('%s:%d'):format(found.place.task, found.first)] = { run = answer.run, hunk = answer.hunk }
    M.refresh_now(buf)
    done(answer)
  end)
end

return M

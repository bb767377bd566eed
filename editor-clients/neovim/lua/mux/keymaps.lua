--- Define the mappings: a `<Plug>` mapping for each action, and the suggested keys.
local M = {}

---@class mux.Map
---@field name string the part after `<Plug>(mux-`
---@field modes string[]
---@field action string|fun(): (string?) the keys or the function; with `expr`, the function returns keys
---@field expr? boolean
---@field desc string
---@field key? string the suggested key; `<prefix>` is the setting
---@field everywhere? boolean map the key in all buffers, not only in attached ones
---@field applies? fun(): boolean whether the key has this action now; else it keeps its previous one

---@param name string
---@return fun()
local function api(name)
  return function()
    local public = require('mux') --[[@as table<string, fun()>]]
    public[name]()
  end
end

---@param sign integer
---@return fun()
local function go(sign)
  return function()
    require('mux.review').go(sign * vim.v.count1)
  end
end

---@param sign integer
---@return fun()
local function show_variant(sign)
  return function()
    require('mux.review').variant(sign * vim.v.count1)
  end
end

---@param verb 'accept'|'reject'
---@param on 'here'|'lines'
---@return fun(): string
local function operator(verb, on)
  return function()
    return require('mux.review').operator(verb, on)
  end
end

---@return boolean
local function has_open_change()
  return require('mux.places').count(vim.api.nvim_get_current_buf()) > 0
end

---@return boolean
local function is_change_here()
  local row = vim.fn.line('.') - 1
  return #require('mux.places').at(vim.api.nvim_get_current_buf(), row, row) > 0
end

---@type mux.Map[]
M.maps = {
  {
    name = 'next',
    modes = { 'n', 'x', 'o' },
    action = go(1),
    key = ']m',
    applies = has_open_change,
    desc = 'go to the next change',
  },
  {
    name = 'prev',
    modes = { 'n', 'x', 'o' },
    action = go(-1),
    key = '[m',
    applies = has_open_change,
    desc = 'go to the previous change',
  },
  { name = 'next-variant', modes = { 'n' }, action = show_variant(1), key = ']v', desc = 'show the next variant' },
  { name = 'prev-variant', modes = { 'n' }, action = show_variant(-1), key = '[v', desc = 'show the previous variant' },
  {
    name = 'accept',
    modes = { 'n' },
    action = operator('accept', 'here'),
    expr = true,
    key = '<prefix>a',
    desc = 'accept the change at the cursor',
  },
  {
    name = 'accept',
    modes = { 'x' },
    action = operator('accept', 'lines'),
    expr = true,
    key = '<prefix>a',
    desc = 'accept the changes in the selection',
  },
  {
    name = 'accept-operator',
    modes = { 'n' },
    action = operator('accept', 'lines'),
    expr = true,
    desc = 'accept the changes in the lines of a motion',
  },
  {
    name = 'accept-file',
    modes = { 'n' },
    action = api('accept_file'),
    key = '<prefix>A',
    desc = 'accept all changes in the file',
  },
  {
    name = 'reject',
    modes = { 'n' },
    action = operator('reject', 'here'),
    expr = true,
    key = '<prefix>x',
    desc = 'reject the change at the cursor',
  },
  {
    name = 'reject',
    modes = { 'x' },
    action = operator('reject', 'lines'),
    expr = true,
    key = '<prefix>x',
    desc = 'reject the changes in the selection',
  },
  {
    name = 'reject-operator',
    modes = { 'n' },
    action = operator('reject', 'lines'),
    expr = true,
    desc = 'reject the changes in the lines of a motion',
  },
  {
    name = 'reject-file',
    modes = { 'n' },
    action = api('reject_file'),
    key = '<prefix>X',
    desc = 'reject all changes in the file',
  },
  {
    name = 'run',
    modes = { 'n' },
    action = ':Mux run<CR>',
    key = '<prefix>r',
    desc = 'start a task',
    everywhere = true,
  },
  {
    name = 'run',
    modes = { 'x' },
    action = ':Mux run<CR>',
    key = '<prefix>r',
    desc = 'start a task about the selection',
  },
  {
    name = 'tasks',
    modes = { 'n' },
    action = '<Cmd>Mux tasks<CR>',
    key = '<prefix>t',
    desc = 'open the tasks window',
    everywhere = true,
  },
  {
    name = 'permission',
    modes = { 'n' },
    action = '<Cmd>Mux permission<CR>',
    key = '<prefix>p',
    desc = 'answer a permission request',
    everywhere = true,
  },
  {
    name = 'hunks',
    modes = { 'n' },
    action = '<Cmd>Mux hunks<CR>',
    key = '<prefix>q',
    desc = 'list the open changes',
    everywhere = true,
  },
  {
    name = 'select',
    modes = { 'n' },
    action = '<Cmd>Mux select<CR>',
    key = '<prefix>f',
    desc = 'choose from the open changes',
    everywhere = true,
  },
  { name = 'rejected', modes = { 'n' }, action = '<Cmd>Mux rejected<CR>', desc = 'choose from the rejected changes' },
  {
    name = 'verify',
    modes = { 'n' },
    action = '<Cmd>Mux verify<CR>',
    key = '<prefix>v',
    desc = 'run the checks on the live text',
  },
  { name = 'discard', modes = { 'n' }, action = '<Cmd>Mux discard<CR>', desc = 'discard a run or a task' },
  { name = 'restore', modes = { 'n' }, action = '<Cmd>Mux restore<CR>', desc = 'restore a run or a task' },
  { name = 'pick', modes = { 'n' }, action = '<Cmd>Mux pick<CR>', desc = 'accept a run and discard the others' },
  {
    name = 'diff',
    modes = { 'n' },
    action = '<Cmd>Mux diff<CR>',
    key = '<prefix>d',
    desc = 'show the diff of the change at the cursor',
  },
  { name = 'compare', modes = { 'n' }, action = '<Cmd>Mux compare<CR>', desc = 'compare the runs of a task' },
  { name = 'log', modes = { 'n' }, action = '<Cmd>Mux log<CR>', desc = 'show the transcript of a run' },
  { name = 'cancel', modes = { 'n' }, action = '<Cmd>Mux cancel<CR>', desc = 'cancel a run or a task' },
  { name = 'continue', modes = { 'n' }, action = '<Cmd>Mux continue<CR>', desc = 'continue a run' },
  { name = 'task', modes = { 'n' }, action = '<Cmd>Mux task<CR>', desc = 'open the tasks window at a task' },
  { name = 'retry', modes = { 'n' }, action = '<Cmd>Mux retry<CR>', desc = 'run the prompt of a run again' },
  { name = 'delete', modes = { 'n' }, action = '<Cmd>Mux delete<CR>', desc = 'delete a run or a task' },
  { name = 'pause', modes = { 'n' }, action = '<Cmd>Mux pause<CR>', desc = "pause a task's queued runs" },
  { name = 'resume', modes = { 'n' }, action = '<Cmd>Mux resume<CR>', desc = "resume a task's queued runs" },
  { name = 'restart', modes = { 'n' }, action = '<Cmd>Mux restart<CR>', desc = 'connect to the daemon again' },
  { name = 'agents', modes = { 'n' }, action = '<Cmd>Mux agents<CR>', desc = 'list the agents' },
  { name = 'status', modes = { 'n' }, action = '<Cmd>Mux status<CR>', desc = "show the daemon's status" },
  {
    name = 'hunk',
    modes = { 'o', 'x' },
    action = api('select'),
    key = 'im',
    applies = is_change_here,
    desc = 'select the change at the cursor',
  },
}

--- Define the `<Plug>` mappings.
function M.define()
  for _, map in ipairs(M.maps) do
    vim.keymap.set(map.modes, ('<Plug>(mux-%s)'):format(map.name), map.action, {
      expr = map.expr,
      desc = 'mux: ' .. map.desc,
    })
  end
end

---@param map mux.Map
---@return string
local function key_of(map)
  return (assert(map.key):gsub('<prefix>', function()
    return require('mux.config').get().prefix
  end))
end

---@param map mux.Map
---@param buf integer?
local function suggest(map, buf)
  vim.keymap.set(map.modes, key_of(map), ('<Plug>(mux-%s)'):format(map.name), {
    buffer = buf,
    remap = true,
    desc = 'mux: ' .. map.desc,
  })
end

--- Map a key that filetype plugins use too: it has our action while that applies, else the previous one.
---@param map mux.Map
---@param buf integer
local function share(map, buf)
  local key, ours = key_of(map), ('<Plug>(mux-%s)'):format(map.name)
  local before = ('<Plug>(mux-not-%s)'):format(map.name)
  for _, mode in ipairs(map.modes) do
    local was = vim.fn.maparg(key, mode, false, true)
    if was.desc ~= 'mux: ' .. map.desc then
      local keys = (was.rhs or key):gsub('<SID>', ('<SNR>%d_'):format(was.sid or 0)) -- Neovim 0.10 does not expand it
      vim.keymap.set(mode, before, was.callback or keys, {
        buffer = buf,
        expr = was.expr == 1,
        remap = was.noremap == 0,
        silent = was.silent == 1,
      })
    end
    vim.keymap.set(mode, key, function()
      return assert(map.applies)() and ours or before
    end, { buffer = buf, expr = true, remap = true, desc = 'mux: ' .. map.desc })
  end
end

--- Map the suggested keys of actions on the text, in an attached buffer.
---@param buf integer
function M.attach(buf)
  if not require('mux.config').get().keymaps then
    return
  end
  for _, map in ipairs(M.maps) do
    if map.key and map.applies then
      share(map, buf)
    elseif map.key and not map.everywhere then
      suggest(map, buf)
    end
  end
end

--- Map the suggested keys of actions that need no attached buffer.
function M.suggest()
  if not require('mux.config').get().keymaps then
    return
  end
  for _, map in ipairs(M.maps) do
    if map.key and map.everywhere then
      suggest(map, nil)
    end
  end
end

return M

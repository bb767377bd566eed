--- The mappings: a `<Plug>` for everything, and the suggested keys.
local M = {}

---@class mux.Map
---@field name string behind `<Plug>(mux-`
---@field modes string[]
---@field does string|fun(): (string?) what is typed for it, or a function; what that returns is typed where `expr` is set
---@field expr? boolean
---@field what string for `desc`
---@field key? string the suggested one; `<prefix>` stands for the option
---@field everywhere? boolean the key is for all buffers, not only those that are attached
---@field applies? fun(): boolean whether the key means this now; else it does what it did before

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
local function going(sign)
  return function()
    require('mux.review').go(sign * vim.v.count1)
  end
end

---@param sign integer
---@return fun()
local function varying(sign)
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
local function any_waits()
  return require('mux.places').count(vim.api.nvim_get_current_buf()) > 0
end

---@return boolean
local function one_is_here()
  local row = vim.fn.line('.') - 1
  return #require('mux.places').at(vim.api.nvim_get_current_buf(), row, row) > 0
end

---@type mux.Map[]
M.maps = {
  {
    name = 'next',
    modes = { 'n', 'x', 'o' },
    does = going(1),
    key = ']m',
    applies = any_waits,
    what = 'the next change',
  },
  {
    name = 'prev',
    modes = { 'n', 'x', 'o' },
    does = going(-1),
    key = '[m',
    applies = any_waits,
    what = 'the previous change',
  },
  { name = 'next-variant', modes = { 'n' }, does = varying(1), key = ']v', what = 'the next variant' },
  { name = 'prev-variant', modes = { 'n' }, does = varying(-1), key = '[v', what = 'the previous variant' },
  {
    name = 'accept',
    modes = { 'n' },
    does = operator('accept', 'here'),
    expr = true,
    key = '<prefix>a',
    what = 'accept the change under the cursor',
  },
  {
    name = 'accept',
    modes = { 'x' },
    does = operator('accept', 'lines'),
    expr = true,
    key = '<prefix>a',
    what = 'accept the changes in the selection',
  },
  {
    name = 'accept-operator',
    modes = { 'n' },
    does = operator('accept', 'lines'),
    expr = true,
    what = 'accept the changes that a motion goes over',
  },
  { name = 'accept-file', modes = { 'n' }, does = api('accept_file'), key = '<prefix>A', what = 'accept the file' },
  {
    name = 'reject',
    modes = { 'n' },
    does = operator('reject', 'here'),
    expr = true,
    key = '<prefix>x',
    what = 'reject the change under the cursor',
  },
  {
    name = 'reject',
    modes = { 'x' },
    does = operator('reject', 'lines'),
    expr = true,
    key = '<prefix>x',
    what = 'reject the changes in the selection',
  },
  {
    name = 'reject-operator',
    modes = { 'n' },
    does = operator('reject', 'lines'),
    expr = true,
    what = 'reject the changes that a motion goes over',
  },
  { name = 'reject-file', modes = { 'n' }, does = api('reject_file'), key = '<prefix>X', what = 'reject the file' },
  { name = 'run', modes = { 'n' }, does = ':Mux run<CR>', key = '<prefix>r', what = 'start a task', everywhere = true },
  {
    name = 'run',
    modes = { 'x' },
    does = ':Mux run<CR>',
    key = '<prefix>r',
    what = 'start a task about the selection',
  },
  {
    name = 'tasks',
    modes = { 'n' },
    does = '<Cmd>Mux tasks<CR>',
    key = '<prefix>t',
    what = 'the tasks',
    everywhere = true,
  },
  {
    name = 'permission',
    modes = { 'n' },
    does = '<Cmd>Mux permission<CR>',
    key = '<prefix>p',
    what = 'answer an agent',
    everywhere = true,
  },
  {
    name = 'hunks',
    modes = { 'n' },
    does = '<Cmd>Mux hunks<CR>',
    key = '<prefix>q',
    what = 'all that waits',
    everywhere = true,
  },
  {
    name = 'select',
    modes = { 'n' },
    does = '<Cmd>Mux select<CR>',
    key = '<prefix>f',
    what = 'choose of all that waits',
    everywhere = true,
  },
  { name = 'rejected', modes = { 'n' }, does = '<Cmd>Mux rejected<CR>', what = 'choose of what was rejected' },
  {
    name = 'verify',
    modes = { 'n' },
    does = '<Cmd>Mux verify<CR>',
    key = '<prefix>v',
    what = 'run the checks on the text',
  },
  { name = 'discard', modes = { 'n' }, does = '<Cmd>Mux discard<CR>', what = 'throw a run or a task away' },
  { name = 'restore', modes = { 'n' }, does = '<Cmd>Mux restore<CR>', what = 'bring it back' },
  { name = 'pick', modes = { 'n' }, does = '<Cmd>Mux pick<CR>', what = 'accept a run, throw the others away' },
  {
    name = 'diff',
    modes = { 'n' },
    does = '<Cmd>Mux diff<CR>',
    key = '<prefix>d',
    what = 'a diff of the change under the cursor',
  },
  { name = 'compare', modes = { 'n' }, does = '<Cmd>Mux compare<CR>', what = 'compare the runs of a task' },
  { name = 'log', modes = { 'n' }, does = '<Cmd>Mux log<CR>', what = 'what a run says and does' },
  { name = 'cancel', modes = { 'n' }, does = '<Cmd>Mux cancel<CR>', what = 'end a run or a task' },
  { name = 'continue', modes = { 'n' }, does = '<Cmd>Mux continue<CR>', what = 'have a run go on' },
  { name = 'task', modes = { 'n' }, does = '<Cmd>Mux task<CR>', what = 'the tasks window at a task' },
  { name = 'retry', modes = { 'n' }, does = '<Cmd>Mux retry<CR>', what = 'do once more what a run did' },
  { name = 'delete', modes = { 'n' }, does = '<Cmd>Mux delete<CR>', what = 'forget a run or a task' },
  { name = 'pause', modes = { 'n' }, does = '<Cmd>Mux pause<CR>', what = 'have the runs of a task wait' },
  { name = 'resume', modes = { 'n' }, does = '<Cmd>Mux resume<CR>', what = 'have them begin after all' },
  { name = 'restart', modes = { 'n' }, does = '<Cmd>Mux restart<CR>', what = 'connect to the daemon again' },
  { name = 'agents', modes = { 'n' }, does = '<Cmd>Mux agents<CR>', what = 'which agents there are' },
  { name = 'status', modes = { 'n' }, does = '<Cmd>Mux status<CR>', what = 'what the daemon does' },
  {
    name = 'hunk',
    modes = { 'o', 'x' },
    does = api('select'),
    key = 'im',
    applies = one_is_here,
    what = 'the change under the cursor',
  },
}

--- Define the `<Plug>` mappings.
function M.define()
  for _, map in ipairs(M.maps) do
    vim.keymap.set(map.modes, ('<Plug>(mux-%s)'):format(map.name), map.does, {
      expr = map.expr,
      desc = 'mux: ' .. map.what,
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
    desc = 'mux: ' .. map.what,
  })
end

--- The same of a key that others have too, filetype plugins among them: it is ours as long as there is something to do.
---@param map mux.Map
---@param buf integer
local function share(map, buf)
  local key, ours = key_of(map), ('<Plug>(mux-%s)'):format(map.name)
  local before = ('<Plug>(mux-not-%s)'):format(map.name)
  for _, mode in ipairs(map.modes) do
    local was = vim.fn.maparg(key, mode, false, true)
    if was.desc ~= 'mux: ' .. map.what then
      local keys = (was.rhs or key):gsub('<SID>', ('<SNR>%d_'):format(was.sid or 0)) -- as 0.10 leaves it
      vim.keymap.set(mode, before, was.callback or keys, {
        buffer = buf,
        expr = was.expr == 1,
        remap = was.noremap == 0,
        silent = was.silent == 1,
      })
    end
    vim.keymap.set(mode, key, function()
      return assert(map.applies)() and ours or before
    end, { buffer = buf, expr = true, remap = true, desc = 'mux: ' .. map.what })
  end
end

--- The suggested keys of what is about the text, in a buffer that is attached.
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

--- The suggested keys of what is not about a text.
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

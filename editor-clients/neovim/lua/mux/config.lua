--- The settings: `vim.g.mux`, over which goes what `require('mux').setup` was given.
local tell = require('mux.tell')

local M = {}

---@class mux.Signs
---@field add string beside lines that would come
---@field change string beside lines that would be others
---@field delete string beside lines that would go
---@field conflict string beside a conflict

---@class mux.ReviewConfig
---@field inline boolean draw the changes that wait in the text itself
---@field signs mux.Signs|false marks in the sign column; false for none
---@field labels boolean say whose change it is, behind its first line
---@field max_lines integer so many lines that would come are drawn of one change
---@field delay integer milliseconds after the last typing until the changes are looked at anew

---@class mux.TasksConfig
---@field split string how the tasks window is opened: what stands in front of `:split`, 'botright', 'topleft vertical' …
---@field height integer its lines at the most
---@field width integer its columns where the split is vertical

---@class mux.DocumentsConfig
---@field split string the same of the window with transcripts and comparisons

---@class mux.Config
---@field program string|string[] `mux-lsp`, by its name on the PATH, its path, or a command line
---@field attach boolean attach to the buffers of git repositories, without being called
---@field keymaps boolean the suggested keymaps
---@field prefix string what most of them begin with
---@field agents string[]|false who gets a task that names nobody, false for those of mux-lsp's own configuration
---@field notify boolean tell by `vim.notify` when a task has ended
---@field review mux.ReviewConfig
---@field tasks mux.TasksConfig
---@field documents mux.DocumentsConfig

--- What a person may set: any of it.
---@class mux.Settings
---@field program? string|string[] `mux-lsp`, by its name on the PATH, its path, or a command line
---@field attach? boolean attach to the buffers of git repositories, without being called
---@field keymaps? boolean the suggested keymaps
---@field prefix? string what most of them begin with
---@field agents? string[]|false who gets a task that names nobody, false for those of mux-lsp's own configuration
---@field notify? boolean tell by `vim.notify` when a task has ended
---@field review? { inline?: boolean, signs?: mux.SignSettings|false, labels?: boolean, max_lines?: integer, delay?: integer }
---@field tasks? { split?: string, height?: integer, width?: integer }
---@field documents? { split?: string }

---@class mux.SignSettings
---@field add? string
---@field change? string
---@field delete? string
---@field conflict? string

---@type mux.Config
M.defaults = {
  program = 'mux-lsp',
  attach = true,
  keymaps = false,
  prefix = '<leader>m',
  agents = false,
  notify = true,
  review = {
    inline = true,
    signs = { add = '+', change = '~', delete = '-', conflict = '!' },
    labels = true,
    max_lines = 40,
    delay = 200,
  },
  tasks = { split = 'botright', height = 12, width = 60 },
  documents = { split = 'botright' },
}

---@class mux.Kind
---@field takes fun(value: any): boolean
---@field words string what is allowed

---@param kind string
---@param words string
---@return mux.Kind
local function of_type(kind, words)
  return {
    words = words,
    takes = function(value)
      return type(value) == kind
    end,
  }
end

---@param least integer
---@return mux.Kind
local function whole_number(least)
  return {
    words = ('a whole number, %d or more'):format(least),
    takes = function(value)
      return type(value) == 'number' and value % 1 == 0 and value >= least
    end,
  }
end

---@param value any
---@return boolean
local function is_text_list(value)
  if type(value) ~= 'table' or not vim.islist(value) or #value == 0 then
    return false
  end
  return vim.iter(value):all(function(one)
    return type(one) == 'string' and one ~= ''
  end)
end

---@param value any
---@return boolean
local function is_sign(value)
  return type(value) == 'string' and vim.fn.strdisplaywidth(value) <= 2 and not value:find('%c')
end

---@param value any
---@return boolean
local function are_signs(value)
  if value == false then
    return true
  end
  if type(value) ~= 'table' then
    return false
  end
  for name, sign in pairs(value) do
    if M.defaults.review.signs[name] == nil or not is_sign(sign) then
      return false
    end
  end
  return true
end

local boolean = of_type('boolean', 'true or false')

local SPLITS = {
  'aboveleft',
  'belowright',
  'botright',
  'horizontal',
  'leftabove',
  'rightbelow',
  'tab',
  'topleft',
  'vertical',
}

---@type mux.Kind
local split = {
  words = 'a string of any of ' .. table.concat(SPLITS, ', '),
  takes = function(value)
    return type(value) == 'string'
      and vim.iter(vim.split(value, '%s+', { trimempty = true })):all(function(word)
        return vim.tbl_contains(SPLITS, word)
      end)
  end,
}

--- What each setting may be.
---@type table<string, mux.Kind>
M.kinds = {
  program = {
    words = 'a string, or a list of strings: a program and its arguments',
    takes = function(value)
      return is_text_list(value) or (type(value) == 'string' and value ~= '')
    end,
  },
  attach = boolean,
  keymaps = boolean,
  prefix = {
    words = 'a string that is not empty',
    takes = function(value)
      return type(value) == 'string' and value ~= ''
    end,
  },
  agents = {
    words = 'a list of the names of agents, or false',
    takes = function(value)
      return value == false or is_text_list(value)
    end,
  },
  notify = boolean,
  ['review.inline'] = boolean,
  ['review.signs'] = {
    words = 'false, or a table with any of add, change, delete and conflict, of one or two columns each',
    takes = are_signs,
  },
  ['review.labels'] = boolean,
  ['review.max_lines'] = whole_number(1),
  ['review.delay'] = whole_number(0),
  ['tasks.split'] = split,
  ['tasks.height'] = whole_number(1),
  ['tasks.width'] = whole_number(1),
  ['documents.split'] = split,
}

---@param given table
---@param prefix string
---@param problems string[]
local function check(given, prefix, problems)
  for name, value in vim.spairs(given) do
    local path = prefix .. tostring(name)
    local kind = M.kinds[path]
    if kind then
      if not kind.takes(value) then
        table.insert(problems, ('%s is %s, and must be %s'):format(path, vim.inspect(value), kind.words))
      end
    elseif M.defaults[path] == nil then
      local there = vim.tbl_filter(function(known)
        return vim.startswith(known, prefix) and not known:sub(#prefix + 1):find('.', 1, true)
      end, vim.tbl_keys(M.kinds))
      table.sort(there)
      table.insert(problems, ('%s is no setting; there are %s'):format(path, table.concat(there, ', ')))
    elseif type(value) ~= 'table' then
      table.insert(problems, ('%s is %s, and must be a table'):format(path, vim.inspect(value)))
    else
      check(value, path .. '.', problems)
    end
  end
end

--- What is wrong with settings, in words.
---@param given any
---@return string[]
function M.problems(given)
  if type(given) ~= 'table' then
    return { ('the settings are %s, and must be a table'):format(vim.inspect(given)) }
  end
  local problems = {} ---@type string[]
  check(given, '', problems)
  return problems
end

---@type mux.Config?
local current
---@type table? `vim.g.mux`, looked at once
local global
---@type table
local set = {}

---@param where string
---@param given any
---@return table
local function valid(where, given)
  local problems = M.problems(given)
  if #problems == 0 then
    return given
  end
  tell.error(('%s: %s. See :help mux-settings.'):format(where, table.concat(problems, '; ')))
  return {}
end

--- The settings as they are.
---@return mux.Config
function M.get()
  if not current then
    global = global or vim.g.mux == nil and {} or valid('vim.g.mux', vim.g.mux)
    current = vim.tbl_deep_extend('force', M.defaults, global, set) ---@diagnostic disable-line: assign-type-mismatch, param-type-mismatch
  end
  local settings = assert(current)
  return settings
end

--- Take settings over, for those of `vim.g.mux`. What is wrong is told, and nothing of it is taken.
---@param given table
function M.set(given)
  set = valid('setup', given)
  current = nil
end

return M

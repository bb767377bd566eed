--- The types of the protocol, made from mux_lsp/lsp/protocol.py by tests/support/protocol_lua.py.
--- Nothing reads this file at run time.
---@meta

--- An agent by its configured name, or an inline command as `sh:COMMAND`.
---@class mux.protocol.RequestedAgent
---@field agent string
---@field count? integer
---@field model? string

---@class mux.protocol.Position
---@field line integer
---@field character integer

---@class mux.protocol.Range
---@field start mux.protocol.Position
---@field ['end'] mux.protocol.Position

--- A place that the prompt is about; the whole file without `range`.
---@class mux.protocol.ContextPlace
---@field uri string
---@field range? mux.protocol.Range

--- `unsaved`: whose unsaved buffers go into the snapshot: this client's (`own`), those of every connected client
--- (`all`: refused where two clients hold different unsaved texts of one file), or nobody's (`none`).
---
--- Runs of tasks with a higher `priority` leave the queue first. `stop_after` equal results that passed every check end
--- the runs that are left. `max_cost_usd` and `max_tokens` are for all runs together, in place of the settings'
--- `task_usd` and `task_tokens`. `parent` is the run whose agent asks, where the client knows: what the task spends
--- counts for it too. One that the server does not know counts for nothing, and it looks for itself.
---@class mux.protocol.TaskStartParams
---@field prompt string
---@field agents? mux.protocol.RequestedAgent[]
---@field checks? string[]
---@field context? mux.protocol.ContextPlace[]
---@field repository? string
---@field unsaved? 'own'|'all'|'none'
---@field priority? integer
---@field stop_after? integer
---@field max_cost_usd? number
---@field max_tokens? integer
---@field parent? string

--- Runs of tasks with a higher `priority` leave the queue first.
---@class mux.protocol.TaskPrioritizeParams
---@field task string
---@field priority integer

--- `repository`: the URI of any folder in it; all repositories without.
---@class mux.protocol.TaskListParams
---@field repository? string

---@class mux.protocol.TaskParams
---@field task string

--- A task's or a run's id.
---@class mux.protocol.IdParams
---@field id string

--- `keep`: runs of the task that stay.
---@class mux.protocol.DiscardParams
---@field id string
---@field keep? string[]

---@class mux.protocol.RunParams
---@field run string

--- `paths`: only these files, and those in these folders; the whole run without.
---@class mux.protocol.RunReviewParams
---@field run string
---@field paths? string[]

--- `mode` says what to do where something collides, as for hunks. `result`: the result of the run that was looked
--- at; where its newest has something else in these files, nothing is accepted.
---@class mux.protocol.RunAcceptParams
---@field run string
---@field paths? string[]
---@field mode? 'exact'|'instead'|'take'|'mark'
---@field result? string

--- `mode` and `result` as for accepting it.
---@class mux.protocol.RunPickParams
---@field run string
---@field mode? 'exact'|'instead'|'take'|'mark'
---@field result? string

--- `offset` and `limit` are in bytes of the stream. `follow` waits until there is more, or the run has ended.
---
--- `check`: the output of the run's check of that number, counted from 0, instead of the agent's; `on` its result, its
--- result with what judges `restored`, or the `snapshot`. `setup`: that of the set-up by which its worktree was made
--- ready, all of it in `stdout`. `transcript`: the conversation and the tool calls as JSON lines, one event to a line,
--- with `kind` and `at`.
---@class mux.protocol.RunLogParams
---@field run string
---@field check? integer
---@field on? 'result'|'restored'|'snapshot'
---@field setup? boolean
---@field stream? 'stdout'|'stderr'|'transcript'
---@field offset? integer
---@field limit? integer
---@field follow? boolean

---@class mux.protocol.RunDiffParams
---@field run string
---@field paths? string[]

--- `up_to_date`: first merge into the run's files what the person has by now: with this client's unsaved buffers
--- (`own`), those of every connected client (`all`), or what is on disk (`saved`).
---@class mux.protocol.RunContinueParams
---@field run string
---@field message string
---@field up_to_date? 'own'|'all'|'saved'

--- `uri`: one document. `run`: one run. Both: that run in that document. One of them is needed.
---
--- `paths`: of the run only these files, and those in these folders.
---@class mux.protocol.ReviewListParams
---@field uri? string
---@field run? string
---@field paths? string[]

--- Hunks of one run by their ids.
---@class mux.protocol.HunkParams
---@field run string
---@field hunks string[]

--- `mode` says what to do where a hunk collides: refuse (`exact`), take out what other runs of the task have there
--- (`instead`), have the run's lines in place of those that are there (`take`), or both between conflict markers
--- (`mark`).
---@class mux.protocol.HunkAcceptParams
---@field run string
---@field hunks string[]
---@field mode? 'exact'|'instead'|'take'|'mark'

--- `shared`: also where other runs of the task have the same hunks.
---@class mux.protocol.HunkRejectParams
---@field run string
---@field hunks string[]
---@field shared? boolean

--- `what`: all that the run does to the file, or only what is in none of its hunks (`file`): its name, its mode, or
--- a content that goes as a whole.
---@class mux.protocol.FileParams
---@field run string
---@field path string
---@field what? 'all'|'file'

--- `mode` says what to do where something collides, as for hunks; `result` is as for a whole run.
---@class mux.protocol.FileAcceptParams
---@field run string
---@field path string
---@field what? 'all'|'file'
---@field mode? 'exact'|'instead'|'take'|'mark'
---@field result? string

--- `answer`: allow it this once, for the runs that ask (`run`), for their task, or for the repository from now on
--- (`always`); or refuse it, with a `reason` that the agent reads.
---@class mux.protocol.PermissionReplyParams
---@field id string
---@field answer 'once'|'run'|'task'|'always'|'refuse'
---@field reason? string

--- A read-only document by its `mux:` URI.
---@class mux.protocol.DocumentParams
---@field uri string

--- `take_focus`: whether the client moves its cursor there; its own choice if left out.
---@class mux.protocol.DocumentShowParams
---@field uri string
---@field take_focus? boolean

--- `uri`: one file, and of it only what touches its lines `start` to `end` if given, counted from 0, both included.
--- `repository`: the URI of any folder in it. Everything without either. `limit`: only the newest so many.
---@class mux.protocol.HistoryListParams
---@field uri? string
---@field repository? string
---@field start? integer
---@field ['end']? integer
---@field limit? integer

--- What to verify: the live text of the repository as this client has it (`own`), with the unsaved buffers of every
--- connected client (`all`), or as it is on disk (`none`). `run`: that text with changes of this run placed on it, as
--- accepting would place them: all of them, those of `paths`, or `hunks`. Without `checks` those of the repository's
--- newest task count, else those of the settings.
---@class mux.protocol.VerifyParams
---@field repository? string
---@field run? string
---@field paths? string[]
---@field hunks? string[]
---@field checks? string[]
---@field unsaved? 'own'|'all'|'none'

--- A document that the client has open.
---@class mux.protocol.ReviewPlacesParams
---@field uri string

--- A change at a place of an open document: `hunk` is null for one without hunks. The one that is `step` further on
--- among the variants that wait there is shown from now on, to this client.
---@class mux.protocol.VariantShowParams
---@field uri string
---@field run string
---@field hunk? string
---@field step? integer

--- A file that a run changes.
---@class mux.protocol.VersionsShowParams
---@field run string
---@field path string

--- The repository at a folder; without a name the one that the client has open.
---@class mux.protocol.RepositoryNameParams
---@field repository? string

--- `unsaved`: in whose unsaved buffers its `mux.toml` may be, as at `mux.task.start`.
---@class mux.protocol.RepositoryParams
---@field repository? string
---@field unsaved? 'own'|'all'|'none'

--- `digest` is that of what the person was shown. It is refused where the file says something else by now.
---@class mux.protocol.RepositoryTrustParams
---@field repository? string
---@field unsaved? 'own'|'all'|'none'
---@field digest string

---@class mux.protocol.NoParams

--- `added` and `removed` are lines, null for a file that is not text. `old_path` is where a renamed file was in the
--- snapshot, or the file that a copied one was made from; lines are counted against that.
---@class mux.protocol.FileSummary
---@field path string
---@field old_path? string
---@field change 'added'|'modified'|'deleted'|'renamed'|'copied'
---@field added? integer
---@field removed? integer

--- What a check's report says of its tests, told apart from the same check on the snapshot. `added` of the
--- `newly_passing` were not there; `newly_failing` counts those too that passed there and are gone. Of each kind 50
--- names at the most are told.
---@class mux.protocol.TestsShape
---@field passed integer
---@field failed integer
---@field skipped integer
---@field newly_passing integer
---@field added integer
---@field newly_failing integer
---@field names_passing string[]
---@field names_failing string[]

--- `before` is how the check went on the snapshot itself, null while that is not known. `tests` is null where it
--- wrote no report.
---@class mux.protocol.CheckResult
---@field command string
---@field state 'running'|'passed'|'failed'
---@field exit_status? integer
---@field seconds? number
---@field baseline_state? 'running'|'passed'|'failed'
---@field tests? mux.protocol.TestsShape

--- Something that a snapshot or a result could not take, and why.
---@class mux.protocol.LeftOutPath
---@field path string
---@field reason string

--- One agent's attempt. `reason` says in words why it is in this state.
---
--- `files` names 200 at the most, all of them in the answer of `mux.run.get`. `file_count`, `added` and `removed` are
--- of all files, the last two in lines of those that are text. `result` is the commit of what it has made, in the
--- shadow store: another one whenever that is different.
---
--- `tampered` are the tests and configuration of checks that it changed or deleted, `restored_checks` how the checks go
--- with those as the snapshot had them. `queue_place` counts from 1. `rank` counts from 1 among the task's runs that
--- have ended, with the reasons in words, each a sentence; `tied` are those that share it. `discarded` is when it was
--- thrown away, `kept_until` when it can be brought back no more.
---@class mux.protocol.RunShape
---@field id string
---@field task string
---@field agent string
---@field model? string
---@field state 'queued'|'preparing'|'running'|'waiting'|'checking'|'finished'|'failed'|'cancelled'|'interrupted'
---@field reason? string
---@field files mux.protocol.FileSummary[]
---@field file_count integer
---@field added integer
---@field removed integer
---@field hunks integer
---@field result? string
---@field checks mux.protocol.CheckResult[]
---@field tampered string[]
---@field restored_checks mux.protocol.CheckResult[]
---@field left_out mux.protocol.LeftOutPath[]
---@field worktree? string
---@field exit_status? integer
---@field cost_usd? number
---@field tokens? integer
---@field started? number
---@field finished? number
---@field discarded? number
---@field kept_until? number
---@field queue_place? integer
---@field rank? integer
---@field tied string[]
---@field reasons string[]

--- `repository` is the URI of the repository's root, `snapshot` a commit of the shadow store. `baseline` is how the
--- checks go on the snapshot itself: all of them `running` while they are at it, empty before, and where it could not
--- be told. `cost_usd` and `tokens` are those of all runs, null where no agent told any. `parent` is the run whose
--- agent started it, null where a person did. `notices` are sentences for the person who started it: a `mux.toml` that
--- is not trusted, for one.
---@class mux.protocol.TaskShape
---@field id string
---@field prompt string
---@field state 'running'|'ended'
---@field repository string
---@field snapshot? string
---@field left_out mux.protocol.LeftOutPath[]
---@field created number
---@field notices string[]
---@field setup string[]
---@field baseline mux.protocol.CheckResult[]
---@field priority integer
---@field paused boolean
---@field stop_after? integer
---@field parent? string
---@field max_cost_usd? number
---@field max_tokens? integer
---@field cost_usd? number
---@field tokens? integer
---@field runs mux.protocol.RunShape[]

---@class mux.protocol.TaskResult
---@field task mux.protocol.TaskShape

---@class mux.protocol.TaskListResult
---@field tasks mux.protocol.TaskShape[]

---@class mux.protocol.RunResult
---@field run mux.protocol.RunShape

--- A run by what it was ranked for. `grade` is what the checks say, with what judges as the snapshot had it.
---
--- `agreement` is how much of its lines another run has too, in the mean, from 0 to 1; `sharing` of the `of` others
--- have some of them, and `shared` is how much of them any has. `fixed` tests pass that failed on the snapshot,
--- `broken` ones passed there. `outside` are the files that it changes and that the prompt was not about, 200 at the
--- most. `seconds` is how long its agent worked. `reasons` and `tied` are those of the run.
---@class mux.protocol.RankedRun
---@field run string
---@field rank integer
---@field tied string[]
---@field grade 'passes'|'as_before'|'unchecked'|'own_tests'|'fails'|'unfinished'|'empty'
---@field reasons string[]
---@field agreement number
---@field shared number
---@field sharing integer
---@field total integer
---@field fixed integer
---@field broken integer
---@field lines integer
---@field outside string[]
---@field cost_usd? number
---@field seconds? number

--- What a run does to a file. Lines are null where it is not text.
---@class mux.protocol.ComparedChange
---@field change 'added'|'modified'|'deleted'|'renamed'|'copied'
---@field added? integer
---@field removed? integer

--- A change at a place, of all the `runs` that share it, best first. `gist` is the first line that says something,
--- with its sign in front.
---@class mux.protocol.ComparedVariant
---@field hunk string
---@field runs string[]
---@field added integer
---@field removed integer
---@field gist string

--- Lines `[start, end)` of the snapshot's file that runs change, with the variants there are, best first. `differs`
--- says that not all runs that have changed anything do the same here.
---@class mux.protocol.ComparedPlace
---@field start integer
---@field ['end'] integer
---@field differs boolean
---@field variants mux.protocol.ComparedVariant[]

--- `runs` are those that change the file; `hunks` says for every hunk which runs share it. A file that runs rename
--- is compared at its path in the snapshot; `renamed` says which runs have it at which path. `changes` has what each of
--- the runs does to it, `places` where; 200 of them at the most.
---@class mux.protocol.ComparedFile
---@field path string
---@field runs string[]
---@field hunks table<string, string[]>
---@field renamed table<string, string[]>
---@field changes table<string, mux.protocol.ComparedChange>
---@field places mux.protocol.ComparedPlace[]

--- `ranking` has the runs that have ended, best first. `files` are 200 at the most, `more` counts the others.
--- `equal` groups the runs with the same result. Runs that were thrown away are in none of them.
---@class mux.protocol.TaskCompareResult
---@field task mux.protocol.TaskShape
---@field ranking mux.protocol.RankedRun[]
---@field files mux.protocol.ComparedFile[]
---@field more integer
---@field equal string[][]

--- `text` has what could drive a terminal made harmless. `offset` is where to read on.
---@class mux.protocol.RunLogResult
---@field text string
---@field offset integer
---@field ended boolean

--- A patch for `git apply`. Where it is not UTF-8, `base64` has its exact bytes and `patch` a readable copy.
---@class mux.protocol.RunDiffResult
---@field patch string
---@field base64? string

--- A hunk as it stands to the asking client's live text. `hunk` is null for a change that is not text, which is
--- accepted with its file. `path` and `old_path` are the file's (see `FileSummary`), `uri` is where its text is now: of
--- a renamed file at one of the two. `range` is where it lands, or what it collides with. `resolutions` are the values
--- of `mode` with which a conflict can be accepted all the same.
---@class mux.protocol.ReviewItem
---@field run string
---@field agent string
---@field path string
---@field old_path? string
---@field uri string
---@field hunk? string
---@field status 'pending'|'applied'|'conflict'|'rejected'
---@field reason? string
---@field resolutions ('exact'|'instead'|'take'|'mark')[]
---@field range mux.protocol.Range
---@field removed string
---@field added string

---@class mux.protocol.ReviewListResult
---@field items mux.protocol.ReviewItem[]

--- One change at a place, of all the `runs` that share it: `agreed` of the `of` runs that have changed something.
--- `what` says in a few characters what it does. `hunk` is null for a change that is not text, which is accepted with
--- its file. `resolutions` are the values of `mode` with which it can be accepted now; `lost` are the person's lines
--- that `take` would cost.
---@class mux.protocol.VariantShape
---@field run string
---@field runs string[]
---@field agreed integer
---@field total integer
---@field agent string
---@field path string
---@field hunk? string
---@field what string
---@field status 'pending'|'applied'|'conflict'|'rejected'
---@field reason? string
---@field range mux.protocol.Range
---@field removed string
---@field added string
---@field resolutions ('exact'|'instead'|'take'|'mark')[]
---@field lost string[]

--- Where changes of one task compete, best first. `variants[shown]` is what lenses and hints are about. `open` is
--- whether there is anything to decide; where a variant is applied there is not, and others may be taken `instead`.
---@class mux.protocol.PlaceShape
---@field task string
---@field range mux.protocol.Range
---@field open boolean
---@field shown integer
---@field variants mux.protocol.VariantShape[]

--- The places in the order of the text, at this version of the document, without those where all was rejected.
---@class mux.protocol.ReviewPlacesResult
---@field uri string
---@field version integer
---@field places mux.protocol.PlaceShape[]

--- What is shown now, and which of how many that wait at the place it is, counted from 0.
---@class mux.protocol.VariantShowResult
---@field run string
---@field hunk? string
---@field shown integer
---@field total integer

--- The read-only documents that were opened beside the person's own.
---@class mux.protocol.VersionsShowResult
---@field uris string[]

--- `mux.client.diff`: show a change of an open document as a diff. `diff` is a read-only document that has it.
---@class mux.protocol.ClientDiffParams
---@field uri string
---@field run string
---@field hunk? string
---@field diff string

--- `mux.client.merge`: have the person merge. `base` and `theirs` are read-only documents: the file in the snapshot,
--- and as the run has it.
---@class mux.protocol.ClientMergeParams
---@field uri string
---@field run string
---@field hunk? string
---@field base string
---@field theirs string

--- `mux.client.ask`: have the person pick agents, and start a task with them. The fields are those of
--- `mux.task.start`.
---@class mux.protocol.ClientAskParams
---@field prompt string
---@field context mux.protocol.ContextPlace[]
---@field repository string

--- `accepted` counts the hunks that were placed, `already` those that were there, `files` names what was changed.
--- `instead_of` are the runs whose hunks were taken out, `marked` counts the conflicts put between markers, `rejected`
--- those that were left out because they were rejected. `kept` is the folder with copies of the person's files that
--- `take` went over, null where there are none.
---@class mux.protocol.AcceptResult
---@field accepted integer
---@field already integer
---@field instead_of string[]
---@field marked integer
---@field rejected integer
---@field kept? string
---@field files string[]

--- What was accepted, and which runs were thrown away.
---@class mux.protocol.PickResult
---@field accepted integer
---@field already integer
---@field instead_of string[]
---@field marked integer
---@field rejected integer
---@field kept? string
---@field files string[]
---@field discarded string[]

--- The runs that were not thrown away before, and when they can be brought back no more (null where none).
---@class mux.protocol.DiscardResult
---@field discarded string[]
---@field kept_until? number

--- The runs that were brought back.
---@class mux.protocol.RestoreResult
---@field restored string[]

--- The id of a task or a run.
---@class mux.protocol.IdResult
---@field id string

--- `rejected` counts the hunks that were not rejected before. `applied` are in the text: a no takes nothing out.
---@class mux.protocol.RejectResult
---@field rejected integer
---@field applied integer

--- `language` is LSP's name for it, null where the file name at the end of the URI says it.
---@class mux.protocol.DocumentResult
---@field text string
---@field language? string

--- `uri` is what the client was asked to show: the `mux:` URI, or that of a read-only file.
---@class mux.protocol.DocumentShowResult
---@field uri string

--- A hunk that became part of a person's text, on record for good: also when its task was deleted.
---
--- `cause` says whether it was accepted through mux-lsp, or the text just had it: typed, or brought in by another tool.
--- `message` is what the run was told to go on with. `agreed` are the other runs of the task that had the same hunk,
--- `total` is the number of runs that had changed anything. `line` is where it came to stand then, in the text of
--- `client`. `range` is where it stands now in that of the client that asks, null where that cannot be told or no `uri`
--- was asked about; `partial` that only some of its lines are left. Of very long hunks `added` and `removed` are null.
--- `withdrawn` is when the text lost it again, null while it stands.
---@class mux.protocol.AcceptanceShape
---@field id integer
---@field at number
---@field withdrawn? number
---@field client string
---@field person string
---@field cause 'accept'|'text'
---@field repository string
---@field task string
---@field run string
---@field agent string
---@field model? string
---@field prompt string
---@field message? string
---@field agreed string[]
---@field total integer
---@field path string
---@field uri string
---@field hunk? string
---@field line integer
---@field removed? string
---@field removed_lines integer
---@field added? string
---@field added_lines integer
---@field range? mux.protocol.Range
---@field partial boolean

--- The newest first.
---@class mux.protocol.HistoryListResult
---@field acceptances mux.protocol.AcceptanceShape[]

--- An agent by the name a task takes. `command` is what it runs, with `PROMPT` in the prompt's place; `configured`
--- says that config.toml names it. What cannot be known of it is null. `install` says how to get it; `logged_in`
--- whether there is a key or a file of credentials for it, neither of which is read.
---@class mux.protocol.AgentShape
---@field name string
---@field kind string
---@field command string
---@field configured boolean
---@field installed? boolean
---@field install? string
---@field version? string
---@field logged_in? boolean

--- What a repository's own `mux.toml` (`file`) says; null for what it leaves open. It counts only while `trusted`:
--- its person trusts exactly this, whose `digest` is null where it says nothing. `problem` is why it cannot be read.
--- `hooks_trusted`: whether the person's config.toml lets agents run the hooks and servers that the repository brings.
---@class mux.protocol.RepositoryResult
---@field repository string
---@field file string
---@field digest? string
---@field trusted boolean
---@field problem? string
---@field agents? string[]
---@field checks? string[]
---@field setup? string[]
---@field setup_inputs? string[]
---@field protected? string[]
---@field check_timeout_seconds? number
---@field hooks_trusted boolean

--- `at` is when its person last said so.
---@class mux.protocol.TrustedRepository
---@field repository string
---@field at number

---@class mux.protocol.TrustListResult
---@field trusted mux.protocol.TrustedRepository[]

---@class mux.protocol.AgentListResult
---@field agents mux.protocol.AgentShape[]
---@field defaults string[]

--- Dollars as far as agents told any, and tokens.
---@class mux.protocol.SpentShape
---@field cost_usd number
---@field tokens integer

--- How checks went on the live text of a repository; where `run` is given, with changes of it placed on that: its
--- `hunks`, those of `paths`, or all. `before` of a check is how it goes on the snapshot of the newest task that has
--- these checks. `stale`: the text is neither what it was nor what was checked any more. `left_out` could not be taken.
--- `seconds` is how long it took, `at` when it began.
---@class mux.protocol.VerdictShape
---@field repository string
---@field passed boolean
---@field checks mux.protocol.CheckResult[]
---@field run? string
---@field hunks string[]
---@field paths string[]
---@field left_out mux.protocol.LeftOutPath[]
---@field at number
---@field seconds number
---@field stale boolean

--- `printed` is the end of what each check printed, standard output before standard error.
---@class mux.protocol.VerifyResult
---@field verdict mux.protocol.VerdictShape
---@field printed string[]

--- `mux/verdictChanged`: a new verdict, or the text has moved on from it, or back to it.
---@class mux.protocol.VerdictChangedParams
---@field verdict mux.protocol.VerdictShape

--- `disk_bytes` is what the shadow store and the hidden worktrees take up, `spent` what was spent here today.
--- `verdict` is the last one of `mux.verify`.
---@class mux.protocol.RepositoryStatus
---@field repository string
---@field worktrees integer
---@field disk_bytes integer
---@field spent mux.protocol.SpentShape
---@field verdict? mux.protocol.VerdictShape

--- `queued_runs` are those of the unfinished that wait for their turn, also in paused tasks. `spent` is what all
--- agents told to have spent today, `day_usd` and `day_tokens` are the limits of a day. `notices` are sentences for the
--- person that hold as long as this daemon runs: that its journal has lost its last changes, say.
---@class mux.protocol.StatusResult
---@field version string
---@field pid integer
---@field unfinished_runs integer
---@field queued_runs integer
---@field spent mux.protocol.SpentShape
---@field day_usd? number
---@field day_tokens? integer
---@field notices string[]
---@field repositories mux.protocol.RepositoryStatus[]

---@class mux.protocol.DeleteResult
---@field deleted string[]

--- `mux/taskChanged`
---@class mux.protocol.TaskChangedParams
---@field task mux.protocol.TaskShape
---@field deleted boolean

--- `mux/runChanged`
---@class mux.protocol.RunChangedParams
---@field run mux.protocol.RunShape
---@field previous string

--- `mux/runOutput`
---@class mux.protocol.RunOutputParams
---@field run string
---@field stream 'stdout'|'stderr'
---@field offset integer
---@field text string

--- What agents wait for leave to do: `subject` is a command, a path or a URL. `runs` ask for the same thing.
---@class mux.protocol.PermissionShape
---@field id string
---@field task string
---@field runs string[]
---@field tool string
---@field subject string
---@field title string

---@class mux.protocol.PermissionListResult
---@field permissions mux.protocol.PermissionShape[]

--- `mux/permissionRequested`: also when another run comes to wait for the same.
---@class mux.protocol.PermissionRequestedParams
---@field permission mux.protocol.PermissionShape

--- `mux/permissionSettled`: answered, timed out, or the runs that asked are gone.
---@class mux.protocol.PermissionSettledParams
---@field id string
---@field task string
---@field answer string

--- `mux/reviewChanged`: what there is to review in these documents is different now.
---
--- `uris` names 200 at the most, as the client names those that it has open; `more` counts the others.
---@class mux.protocol.ReviewChangedParams
---@field uris string[]
---@field more integer

--- `mux/queueChanged`: runs wait for their turn in this order now, without those of paused tasks.
---
--- `runs` names 200 at the most; `more` counts the others. Those that are not named, and waited before, have their
--- turn, are paused or have ended.
---@class mux.protocol.QueueChangedParams
---@field runs string[]
---@field more integer

--- `mux/limitReached`: four fifths of what may be spent are, or all of it and what it was for was `stopped`.
---
--- `scope` is what the limit is for; `repository` is a day in one repository. `of` is the run, the task or the URI of
--- the repository, null for a day. `message` says it in words.
---@class mux.protocol.LimitReachedParams
---@field scope 'run'|'task'|'day'|'repository'
---@field of? string
---@field unit 'usd'|'tokens'
---@field spent number
---@field most number
---@field stopped boolean
---@field message string

--- `data` of an error response. `kind` is for programs; the message is for people.
---@class mux.protocol.ErrorData
---@field kind 'failed'|'usage'|'conflict'

--- `data` where `initialize` is refused for the client's protocol version; `protocol` is the server's.
---@class mux.protocol.VersionErrorData
---@field kind 'failed'|'usage'|'conflict'
---@field protocol integer

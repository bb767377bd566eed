PRAGMA user_version = 6;
BEGIN TRANSACTION;
CREATE TABLE acceptances (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            repository TEXT NOT NULL,
            path TEXT NOT NULL,
            task TEXT NOT NULL,
            origin TEXT NOT NULL,
            change TEXT NOT NULL,
            at REAL NOT NULL,
            withdrawn REAL,
            prompt TEXT NOT NULL REFERENCES prompts (digest),
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "acceptances" VALUES(1,'"/home/ada/caf\udce9/project"','"src/b\udce9.py"','k3f','"src/b\udce9.py"','0123456789',1764000000.0,NULL,'607f28b209bc245dfaeaa5476bea25f9f658ffa018bb4d677688b403512f4549','{"repository":"/home/ada/caf\udce9/project","task":"k3f","run":"k3f-1","agent":"claude","model":null,"prompt":"","message":null,"path":"src/b\udce9.py","origin":"src/b\udce9.py","hunk":"0123456789","change":"0123456789","how":"accept","client":"neovim","person":"ada","line":4,"removed":{"lines":1,"text":"old\n","digest":null},"added":{"lines":2,"text":"new\nnewer\n","digest":null},"before":["def f():"],"after":[""],"agreed":[],"of":3,"id":0,"at":0.0,"withdrawn":null}');
INSERT INTO "acceptances" VALUES(2,'"/home/ada/caf\udce9/project"','"src/b\udce9.py"','k3f','"src/b\udce9.py"','abcdef0123',1764000000.0,1764000000.0,'607f28b209bc245dfaeaa5476bea25f9f658ffa018bb4d677688b403512f4549','{"repository":"/home/ada/caf\udce9/project","task":"k3f","run":"k3f-1","agent":"claude","model":null,"prompt":"","message":null,"path":"src/b\udce9.py","origin":"src/b\udce9.py","hunk":"abcdef0123","change":"abcdef0123","how":"accept","client":"neovim","person":"ada","line":4,"removed":{"lines":1,"text":"old\n","digest":null},"added":{"lines":2,"text":"new\nnewer\n","digest":null},"before":["def f():"],"after":[""],"agreed":[],"of":3,"id":0,"at":0.0,"withdrawn":null}');
CREATE TABLE accepting (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            phase TEXT NOT NULL,
            at REAL NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "accepting" VALUES(1,'0a1b2c3d-1','asking',1764000000.0,'{"id":"0a1b2c3d-1","root":"/home/ada/caf\udce9/project","identity":{"inode":17,"git_inode":18},"run":"k3f-1","client":"neovim","steps":[{"path":"src/b\udce9.py","before":null,"after":"100644:00","stage":0,"made":["src"]}],"stages":[""],"modes":[],"carried":[],"paths":["src/b\udce9.py"],"rows":[],"keys":[],"displaced":[],"chosen":[],"discard":["k3f-2"]}');
CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            run TEXT REFERENCES runs (id) ON DELETE CASCADE,
            at REAL NOT NULL,
            kind TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "events" VALUES(1,'k3f',NULL,1764000000.0,'task.added','{}');
INSERT INTO "events" VALUES(2,'b2c',NULL,1764000000.0,'task.added','{}');
INSERT INTO "events" VALUES(3,'k3f','k3f-1',1764000000.0,'run.finished','{"previous":"preparing","reason":null}');
INSERT INTO "events" VALUES(4,'k3f','k3f-2',1764000000.0,'run.running','{"previous":"preparing","reason":"a reason"}');
INSERT INTO "events" VALUES(5,'k3f','k3f-3',1764000000.0,'run.failed','{"previous":"preparing","reason":"ended with exit status 3"}');
CREATE TABLE permission_rules (
            repository TEXT NOT NULL,
            tool TEXT NOT NULL,
            subject TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (repository, tool, subject)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "permission_rules" VALUES('"/home/ada/caf\udce9/project"','bash','"make test"',1764000000.0);
CREATE TABLE prompts (
            digest TEXT PRIMARY KEY,
            data TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
INSERT INTO "prompts" VALUES('607f28b209bc245dfaeaa5476bea25f9f658ffa018bb4d677688b403512f4549','"Do it\n\ud800"');
CREATE TABLE rejections (
            run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            hunk TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (run, path, hunk)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "rejections" VALUES('k3f-1','"logo.png"','',1764000000.0);
INSERT INTO "rejections" VALUES('k3f-1','"src/b\udce9.py"','0123456789',1764000000.0);
CREATE TABLE runs (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            task TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            ended INTEGER NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "runs" VALUES(1,'k3f-1','k3f',1,'{"id":"k3f-1","task":"k3f","agent":"claude","model":null,"state":"finished","reason":null,"base":"1111111111111111111111111111111111111111","result":"4444444444444444444444444444444444444444","files":[{"path":"src/b\udce9.py","kind":"added","old_mode":0,"new_mode":33188,"old_object":"0000000000000000000000000000000000000000","new_object":"5555555555555555555555555555555555555555","lines_added":3,"lines_removed":0,"old_path":null},{"path":"logo.png","kind":"modified","old_mode":33188,"new_mode":33188,"old_object":"6666666666666666666666666666666666666666","new_object":"7777777777777777777777777777777777777777","lines_added":null,"lines_removed":null,"old_path":null}],"hunks":2,"checks":[{"command":"make test","state":"passed","exit_status":0,"seconds":1.5,"before":"failed","tests":null}],"meddled":["tests/t.py"],"hidden":["conftest.py"],"restored_checks":[{"command":"make test","state":"passed","exit_status":0,"seconds":1.5,"before":"failed","tests":null}],"left_out":[{"path":"big.bin","reason":"is too large"}],"worktree":null,"setup":null,"port":41000,"pid":4711,"pid_created":1234.5,"exit_status":0,"message":"go on","taken":true,"turn":1,"session":"abc","collided":["src/c.py"],"cost_usd":0.25,"tokens":5000,"started":1000.5,"finished":1060.25,"worked":50.0,"cancel_requested":false,"cancel_reason":null,"discarded":null,"allowed":[]}');
INSERT INTO "runs" VALUES(2,'k3f-2','k3f',0,'{"id":"k3f-2","task":"k3f","agent":"sh:make it","model":null,"state":"running","reason":"a reason","base":"1111111111111111111111111111111111111111","result":null,"files":[],"hunks":0,"checks":[],"meddled":[],"hidden":[],"restored_checks":[],"left_out":[{"path":"big.bin","reason":"is too large"}],"worktree":"s1","setup":null,"port":null,"pid":4712,"pid_created":1234.75,"exit_status":null,"message":null,"taken":false,"turn":0,"session":null,"collided":[],"cost_usd":null,"tokens":null,"started":1000.75,"finished":null,"worked":null,"cancel_requested":false,"cancel_reason":null,"discarded":null,"allowed":[]}');
INSERT INTO "runs" VALUES(3,'k3f-3','k3f',1,'{"id":"k3f-3","task":"k3f","agent":"codex","model":null,"state":"failed","reason":"ended with exit status 3","base":"1111111111111111111111111111111111111111","result":null,"files":[],"hunks":0,"checks":[],"meddled":[],"hidden":[],"restored_checks":[],"left_out":[{"path":"big.bin","reason":"is too large"}],"worktree":null,"setup":null,"port":null,"pid":null,"pid_created":null,"exit_status":3,"message":null,"taken":false,"turn":0,"session":null,"collided":[],"cost_usd":null,"tokens":null,"started":1001.0,"finished":1002.0,"worked":null,"cancel_requested":false,"cancel_reason":null,"discarded":1003.0,"allowed":[]}');
INSERT INTO "runs" VALUES(4,'b2c-1','b2c',0,'{"id":"b2c-1","task":"b2c","agent":"gemini","model":"pro","state":"queued","reason":null,"base":"1111111111111111111111111111111111111111","result":null,"files":[],"hunks":0,"checks":[],"meddled":[],"hidden":[],"restored_checks":[],"left_out":[],"worktree":null,"setup":null,"port":null,"pid":null,"pid_created":null,"exit_status":null,"message":null,"taken":false,"turn":0,"session":null,"collided":[],"cost_usd":null,"tokens":null,"started":null,"finished":null,"worked":null,"cancel_requested":false,"cancel_reason":null,"discarded":null,"allowed":[]}');
CREATE TABLE spending (
            day TEXT NOT NULL,
            run TEXT NOT NULL,
            task TEXT NOT NULL,
            repository TEXT NOT NULL,
            under TEXT NOT NULL,
            usd REAL NOT NULL,
            tokens INTEGER NOT NULL,
            PRIMARY KEY (day, run)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "spending" VALUES('2025-11-24','b2c-1','b2c','"/home/ada/other"','k3f-1',0.5,100);
INSERT INTO "spending" VALUES('2025-11-24','k3f-1','k3f','"/home/ada/caf\udce9/project"','',0.25,5000);
CREATE TABLE tasks (
            position INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            repository TEXT NOT NULL,
            data TEXT NOT NULL
        ) STRICT;
INSERT INTO "tasks" VALUES(1,'k3f','"/home/ada/caf\udce9/project"','{"id":"k3f","prompt":"Do \u00fcn\u00efc\u00f6d\u00e9\nand half of a character: \ud800","repository":"/home/ada/caf\udce9/project","folder":"src","created":1000.0,"snapshot":{"commit":"1111111111111111111111111111111111111111","tree":"2222222222222222222222222222222222222222","head":"3333333333333333333333333333333333333333","left_out":[]},"identity":null,"setup":{"commands":[],"inputs":[]},"checks":["make test"],"check_seconds":null,"protected":["judge/"],"notices":[],"baseline":[{"command":"make test","state":"passed","exit_status":0,"seconds":1.5,"before":"failed","tests":null}],"context":[{"path":"a.py","start":1,"end":2},{"path":"b.py","start":null,"end":null}],"runs":[],"numbered":3,"priority":2,"paused":false,"enough":2,"parent":null,"max_cost_usd":1.5,"max_tokens":null,"allowed":[]}');
INSERT INTO "tasks" VALUES(2,'b2c','"/home/ada/other"','{"id":"b2c","prompt":"Another","repository":"/home/ada/other","folder":"","created":2000.0,"snapshot":{"commit":"1111111111111111111111111111111111111111","tree":"2222222222222222222222222222222222222222","head":null,"left_out":[]},"identity":null,"setup":{"commands":[],"inputs":[]},"checks":[],"check_seconds":null,"protected":[],"notices":[],"baseline":[],"context":[],"runs":[],"numbered":1,"priority":0,"paused":true,"enough":null,"parent":"k3f-1","max_cost_usd":null,"max_tokens":null,"allowed":[]}');
CREATE TABLE trusted_settings (
            repository TEXT NOT NULL,
            digest TEXT NOT NULL,
            at REAL NOT NULL,
            PRIMARY KEY (repository, digest)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "trusted_settings" VALUES('"/home/ada/caf\udce9/project"','8888888888888888888888888888888888888888888888888888888888888888',1764000000.0);
CREATE INDEX tasks_by_repository ON tasks (repository);
CREATE INDEX runs_by_task ON runs (task);
CREATE INDEX runs_unfinished ON runs (id) WHERE ended = 0;
CREATE INDEX events_by_task ON events (task);
CREATE INDEX events_by_run ON events (run);
CREATE UNIQUE INDEX acceptances_standing ON acceptances (task, origin, change) WHERE withdrawn IS NULL;
CREATE INDEX acceptances_by_path ON acceptances (repository, path);
CREATE INDEX spending_by_task ON spending (task);
CREATE INDEX spending_on_behalf ON spending (under) WHERE under <> '';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',13);
INSERT INTO "sqlite_sequence" VALUES('acceptances',2);
COMMIT;

// Package reports hands field reports to whoever learns from them, and defines how
// a report is written as JSON. What a report says and when it is filed is Tamiyo's
// (package tamiyo); that every one of them is in the log whatever happens here is
// the plane's.
//
// # A report
//
//	{
//	  "report": "fr-8781aa874226db00-141.2",  unique; the id under which it is delivered
//	  "command": "cmd-139.3",                 the command that is reported on
//	  "run": "run-1",
//	  "kind": "SEED", "operation": "GERMINATE", "seed": "seed-a", "blueprint": "residual-mlp-16",
//	  "policy": "rules/1",                    name and version; not there when the command names none
//	  "issued_at": "2026-03-01T09:30:00.000000Z",  of the command, in plane time
//	  "outcome": "success",                   success, neutral, regression or aborted
//	  "closure": "epochs",                    why the window was closed; see leyline.ReportClosure
//	  "window_epochs": 1, "epochs": 1,        that it was opened for, that were observed
//	  "from_step": 139, "to_step": 150,
//	  "held_out": true,                       delta.loss is of held-out data, else of the running training loss
//	  "delta": {"loss": -0.021, "parameters": 0, "risk_index": 0, "risk_score": 0.1, "policy_ms": 0,
//	            "hook_ms": 1.8, "kasmina_apply_ms": 0.4, "kasmina_end_ms": 0},
//	  "extra": [{"name": "accuracy", "value": 0.013}],
//	  "follow_ups": [{"kind": "seed.moved", "record": 149, "why": "G2_STABILITY:age"}],
//	  "notes": ""
//	}
//
// Names are stable, and so is the order of the eight figures of delta, in which a
// learner stacks them. What was not measured is 0. seed, blueprint and operation are
// left out where a command has none, extra, follow_ups and notes where they are empty.
//
// # Delivery
//
// [Dir] writes each report to a file of a directory, [Post] posts it to a receiver, and
// [All] does both.
//
// At least once: a sink that took a report whose completion was not recorded, because
// the process ended, is given it again under the same id. A sink that fails is asked
// again later, by the plane and by the record.
package reports

// Package webhook notifies a receiver of what is urgent, in the format in which
// Alertmanager posts to its webhook receivers (version "4", Prometheus
// documentation, "webhook_config"). Whatever understands Alertmanager understands
// this: pagers, chat bridges, incident trackers.
//
// # Alerts
//
// Each event whose level is WARNING or higher, or as high as [Options].Minimum
// asks, fires an alert:
//
//	labels       alertname (the event's name), severity (its level in lower case), subsystem, run if
//	             it concerns one, and of the attributes those that say which thing it is about, such
//	             as seed_id or gate
//	annotations  summary (what the event means), record (its sequence number) and the other attributes
//	startsAt     when it was decided, in plane time
//	endsAt       when it is over, or will be; the zero time while nobody knows
//	fingerprint  a hash of the labels, by Alertmanager's rule
//
// What lasts is resolved when the log says that it is over: plane.disk_low,
// tolaria.emergency.escalated, conservative_entered, tolaria.trainer.stalled and
// tolaria.rollback.started; and those of a run when the run ends. An escalation
// is resolved when the level is back at L1. A resolved alert has the labels and
// startsAt of the one that fired.
//
// Other events are over when they are told. Their alerts say so with an endsAt
// that is [Momentary] after startsAt, and are resolved with the first packet of
// that time or later, or when the run ends. Both are needed: Alertmanager itself
// leaves endsAt zero in what it posts while an alert fires, so receivers made for
// it go by the status; what passes alerts on to Alertmanager's own API (v2,
// "endsAt") can pass that on too. An event that comes again meanwhile fires anew,
// with a startsAt of its own, and what is resolved is the last of them.
//
// plane.storage_failed is in no record and has no end ([Sender.Tell]): no record
// can say that it is over.
//
// One notification holds the alerts of one group, which is the event's name and
// run, and of one urgency: all are CRITICAL, or none is. truncatedAlerts counts the
// alerts of any group that found no room to wait since the last notification that
// was accepted, so that a receiver learns of them.
//
// # A notification
//
//	{
//	  "version": "4",
//	  "groupKey": "{}:{alertname=\"tolaria.training.non_finite\", run=\"run-1\"}",
//	  "truncatedAlerts": 0,
//	  "status": "firing",
//	  "receiver": "esper",
//	  "groupLabels": {
//	    "alertname": "tolaria.training.non_finite",
//	    "run": "run-1"
//	  },
//	  "commonLabels": {
//	    "alertname": "tolaria.training.non_finite",
//	    "run": "run-1",
//	    "severity": "critical",
//	    "subsystem": "tolaria"
//	  },
//	  "commonAnnotations": {
//	    "record": "1042",
//	    "step": "120",
//	    "summary": "A loss or a gradient is not a finite number",
//	    "value": "NaN"
//	  },
//	  "externalURL": "",
//	  "alerts": [
//	    {
//	      "status": "firing",
//	      "labels": {
//	        "alertname": "tolaria.training.non_finite",
//	        "run": "run-1",
//	        "severity": "critical",
//	        "subsystem": "tolaria"
//	      },
//	      "annotations": {
//	        "record": "1042",
//	        "step": "120",
//	        "summary": "A loss or a gradient is not a finite number",
//	        "value": "NaN"
//	      },
//	      "startsAt": "2026-03-01T09:30:00Z",
//	      "endsAt": "2026-03-01T09:35:00Z",
//	      "generatorURL": "",
//	      "fingerprint": "3600827ed8cc2bfc"
//	    }
//	  ]
//	}
//
// # Delivery
//
// [Sender.Offer] never waits. [Sender.Run], which the caller starts on a goroutine
// of its own, posts one notification after the other and tries again after a
// connection failure, a status of 5xx and 429, with a pause that doubles up to a
// minute, or as long as Retry-After says. Any other status is final. After
// [Options].Attempts the notification is given up.
//
// CRITICAL alerts go first, the oldest before the others. One that comes while a
// notification that holds none is under way waits at most for the attempt, not for
// the pause behind it, whoever asked for that; the notification goes on afterwards
// where it was. Meanwhile new alerts wait; of more than [Options].Queue the oldest that is not CRITICAL makes room, and only
// among nothing but CRITICAL ones the oldest of those.
//
// A receiver may see a notification twice when its answer was lost on the way; the
// fingerprint and startsAt tell. After a restart of the plane nothing is sent
// again, and alerts that fired before it are not resolved: feed the sender the
// log from its beginning with [Sender.Restore] to know them.
//
// Nothing goes through a proxy unless [Options].Transport does: the environment
// (HTTP_PROXY and the like) is not read. Redirects are not followed.
//
// Failures are counted and told once, with their end.
package webhook

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
//	fingerprint  a hash of the labels, by Alertmanager's rule
//
// What lasts is resolved when the log says that it is over: plane.disk_low,
// tolaria.emergency.escalated, conservative_entered, tolaria.trainer.stalled and
// tolaria.rollback.started; and those of a run when the run ends. An escalation
// is resolved when the level is back at L1. A resolved alert has the labels and
// startsAt of the one that fired. Other events are over when they are told; they
// fire and are never resolved.
//
// One notification holds the alerts of one group, which is the event's name and
// run. truncatedAlerts counts the alerts of any group that found no room to wait
// since the last notification that was accepted, so that a receiver learns of
// them.
//
// # Delivery
//
// [Sender.Offer] never waits. [Sender.Run], which the caller starts on a goroutine
// of its own, posts one notification after the other and tries again after a
// connection failure, a status of 5xx and 429, with a pause that doubles up to a
// minute, or as long as Retry-After says. Any other status is final. After
// [Options].Attempts the notification is given up. Meanwhile new alerts wait; of
// more than [Options].Queue the oldest that is not CRITICAL makes room, and only
// among nothing but CRITICAL ones the oldest of those.
//
// A receiver may see a notification twice when its answer was lost on the way; the
// fingerprint and startsAt tell. After a restart of the plane nothing is sent
// again, and alerts that fired before it are not resolved: feed the sender the
// log from its beginning with [Sender.Restore] to know them.
//
// Failures are counted and told once, with their end.
package webhook

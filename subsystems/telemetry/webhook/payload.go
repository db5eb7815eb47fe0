package webhook

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// The states of an alert.
const (
	firing   = "firing"
	resolved = "resolved"
)

// alert is one alert as it is posted.
type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"` // zero while something fires of which nobody knows how long
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`

	critical bool
}

// payload is one notification.
type payload struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   uint64            `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

// The labels of a group.
const (
	labelName = "alertname"
	labelRun  = "run"
)

// subjects are the attributes that say which thing an event is about. They are
// labels: events that differ in one of them are different alerts.
var subjects = []string{"seed_id", "gate", "snapshot_id", "component", "subsystem", "dependency_type"}

// newAlert makes the alert of an event.
func newAlert(p *leyline.Packet, e *leyline.TelemetryEvent, externalURL string) alert {
	a := alert{
		Status: firing, StartsAt: instant(p.At), critical: e.Level == leyline.LevelCritical,
		Labels:      map[string]string{labelName: string(e.Name), "severity": strings.ToLower(e.Level.String()), "subsystem": p.Source.String()},
		Annotations: map[string]string{},
	}
	if p.Seq > 0 {
		a.Annotations["record"] = fmt.Sprint(uint64(p.Seq))
	}
	if p.Run != "" {
		a.Labels[labelRun] = string(p.Run)
	}
	if row, ok := leyline.DescribeEvent(e.Name); ok {
		a.Annotations["summary"] = row.Means
	}
	for _, attr := range e.Attrs {
		switch {
		case attr.Value == "" || attr.Key == labelRun:
		case slices.Contains(subjects, attr.Key):
			a.Labels[attr.Key] = attr.Value
		default:
			a.Annotations[attr.Key] = attr.Value
		}
	}
	if externalURL != "" && p.Seq > 0 {
		a.GeneratorURL = fmt.Sprintf("%s/v1/telemetry?after=%d", externalURL, uint64(p.Seq)-1)
	}
	a.Fingerprint = fingerprint(a.Labels)
	return a
}

// fingerprint hashes labels as Prometheus does: FNV-1a of 64 bits over the names
// in order, each name and each value followed by the byte 255, which no UTF-8
// holds.
func fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		for _, part := range []string{name, labels[name]} {
			_, _ = h.Write(append([]byte(part), 255)) // a hash takes everything
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// group returns the labels by which alerts share a notification.
func (a *alert) group() map[string]string {
	out := map[string]string{labelName: a.Labels[labelName]}
	if run := a.Labels[labelRun]; run != "" {
		out[labelRun] = run
	}
	return out
}

// newPayload makes the payload of alerts of one group, at least one.
func newPayload(receiver, externalURL string, truncated uint64, alerts []alert) payload {
	group := alerts[0].group()
	p := payload{
		Version: "4", GroupKey: "{}:" + selector(group), TruncatedAlerts: truncated, Status: resolved, Receiver: receiver,
		GroupLabels: group, CommonLabels: maps.Clone(alerts[0].Labels), CommonAnnotations: maps.Clone(alerts[0].Annotations),
		ExternalURL: externalURL, Alerts: alerts,
	}
	for _, a := range alerts {
		if a.Status == firing {
			p.Status = firing
		}
		keepCommon(p.CommonLabels, a.Labels)
		keepCommon(p.CommonAnnotations, a.Annotations)
	}
	return p
}

func keepCommon(common, other map[string]string) {
	maps.DeleteFunc(common, func(k, v string) bool { return other[k] != v })
}

// selector writes labels as Prometheus does.
func selector(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, labels[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func (p *payload) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic("webhook: a notification cannot be written: " + err.Error()) // Invariant: it holds texts, numbers and times of four-digit years
	}
	return b
}

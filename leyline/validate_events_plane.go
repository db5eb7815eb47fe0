package leyline

import "fmt"

// Validate implements Event.
func (x DependencyViolated) Validate() error {
	var c check
	needEnum(&c, "refusal.subsystem", x.Refusal.Subsystem)
	needEnum(&c, "refusal.kind", x.Refusal.Kind)
	need(&c, "refusal.field", x.Refusal.Field != "")
	need(&c, "refusal.reason", x.Refusal.Reason != "")
	return c.result()
}

// Validate implements Event.
func (x PlaneBooted) Validate() error {
	var c check
	needID(&c, "boot", x.Boot)
	needID(&c, "origin", x.Origin)
	mayID(&c, "previous", x.Previous)
	need(&c, "admin_key", len(x.AdminKey) == publicBytes)
	need(&c, "boots", x.Boots > 0)
	need(&c, "decider", x.Decider > 0)
	return c.result()
}

// Validate implements Event.
func (x EffectRecovered) Validate() error {
	var c check
	need(&c, "effect", !x.Effect.IsZero())
	needEnum(&c, "kind", x.Kind)
	needID(&c, "run", x.Run)
	return c.result()
}

// Validate implements Event. Of the configuration it demands that every section
// is there: whether the settings are good is judged once, by the rules of the
// version that adopted them.
func (x ConfigAdopted) Validate() error {
	var c check
	need(&c, "digest", !x.Digest.IsZero())
	needID(&c, "key", x.Key)
	need(&c, "config.tolaria", x.Config.Tolaria != TolariaConfig{})
	need(&c, "config.tamiyo", x.Config.Tamiyo.WindowSteps > 0)
	need(&c, "config.kasmina", x.Config.Kasmina != KasminaConfig{})
	need(&c, "config.plane", x.Config.Plane != PlaneConfig{})
	need(&c, "config.log", x.Config.Log.SegmentMiB > 0)
	need(&c, "config.posture", len(x.Config.Posture.Frameworks) > 0)
	need(&c, "config.breaker", x.Config.Breaker != BreakerConfig{})
	need(&c, "config.telemetry", x.Config.Telemetry != TelemetryConfig{})
	need(&c, "config.rules", x.Config.Rules.Advance > 0)
	return c.result()
}

// Validate implements Event.
func (x KeyEnrolled) Validate() error {
	var c check
	c.part("key", x.Key.Validate())
	needID(&c, "by", x.By)
	return c.result()
}

// publicBytes is the length of an Ed25519 public key.
const publicBytes = 32

// Validate checks the form of a key. It returns a *Refusal that names the field.
func (k Key) Validate() error {
	var c check
	needID(&c, "id", k.ID)
	need(&c, "public", len(k.Public) == publicBytes)
	needText(&c, "issuer", k.Issuer)
	need(&c, "kinds", len(k.Kinds) > 0)
	for i, kind := range k.Kinds {
		c.element("kinds", i)
		needEnum(&c, "", kind)
	}
	c.leave()
	bound(&c, "runs", len(k.Runs), MaxKeyScope)
	needIDs(&c, "runs", k.Runs)
	return c.result()
}

// Validate implements Event.
func (x BlueprintAdmitted) Validate() error {
	var c check
	c.part("blueprint", x.Blueprint.Validate())
	return c.result()
}

// Validate implements Event.
func (x DiskLow) Validate() error {
	var c check
	need(&c, "total", x.Total > 0)
	need(&c, "threshold", x.Threshold > 0)
	if x.Free >= x.Threshold {
		c.fail(Invalid("free", fmt.Sprintf("is %d bytes, not under the threshold of %d", x.Free, x.Threshold)))
	}
	return c.result()
}

// Validate implements Event.
func (x DiskRecovered) Validate() error {
	var c check
	need(&c, "total", x.Total > 0)
	if x.Free < x.Threshold {
		c.fail(Invalid("free", fmt.Sprintf("is %d bytes, under the threshold of %d", x.Free, x.Threshold)))
	}
	return c.result()
}

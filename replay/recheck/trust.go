package recheck

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

// start follows the name of the log. The admin key is that of the origin record, in
// every process.
func (c *Checker) start(r leyline.Record, x leyline.PlaneStarted) {
	if refusedBy(r) != nil {
		return
	}
	if !bytes.Equal(x.AdminKey, c.admin) {
		c.differ("admin_key", fmt.Sprintf("%x", x.AdminKey), fmt.Sprintf("%x, of the origin record", c.admin))
	}
	c.name = x.Origin
}

// vouched reports whether the admin key signed an envelope of a payload type.
func (c *Checker) vouched(env leyline.Envelope, payloadType string) bool {
	return env.PayloadType == payloadType && sign.Verify(c.admin, env) == nil
}

// configure puts a configuration in force that the admin key signed and the plane
// adopted. Whether its settings are good is for the rules of the version that adopted
// it.
func (c *Checker) configure(r leyline.Record, x leyline.ConfigApplied) {
	for _, e := range r.Events {
		adopted, ok := e.(leyline.ConfigAdopted)
		if !ok {
			continue
		}
		c.report.Configs++
		config, err := wire.DecodeConfig(x.Envelope.Payload)
		switch {
		case !c.vouched(x.Envelope, leyline.PayloadConfig):
			c.differ("config", "adopted", "refused: the admin key did not sign it")
			return
		case err != nil:
			c.differ("config", "adopted", "refused: "+err.Error())
			return
		}
		same(c, "config.digest", adopted.Digest, leyline.Digest(sha256.Sum256(x.Envelope.Payload)))
		equal(c, "config", adopted.Config, x.Envelope.Payload, wire.EncodeConfig)
		c.config, c.configured = config.Kasmina, true
	}
}

// equal compares a recorded value with the signed bytes that it was decoded from.
func equal[T any](c *Checker, field string, recorded T, signed []byte, encode func(T) ([]byte, error)) {
	if b, err := encode(recorded); err != nil || !bytes.Equal(b, signed) {
		c.differ(field, "another value", "the one that was signed")
	}
}

// add derives whether a key is enrolled.
func (c *Checker) add(r leyline.Record, x leyline.KeyAdded) {
	c.report.Keys++
	key, err := wire.DecodeKey(x.Envelope.Payload)
	why := ""
	switch {
	case !c.vouched(x.Envelope, leyline.PayloadKey):
		why = "the admin key did not sign it"
	case err != nil:
		why = err.Error()
	default:
		why = c.unfit(key, 0)
	}
	recorded, ok := enrolled(r)
	if !c.agrees("key", ok, why) || why != "" {
		return
	}
	if ok {
		equal(c, "key", recorded, x.Envelope.Payload, wire.EncodeKey)
	}
	c.keys[key.ID] = key
}

// agrees compares whether something came about. why is why it should not have.
func (c *Checker) agrees(what string, recorded bool, why string) bool {
	switch {
	case recorded == (why == ""):
		return true
	case recorded:
		c.differ(what, "taken", "refused: "+why)
	default:
		c.differ(what, "refused", "taken")
	}
	return false
}

func enrolled(r leyline.Record) (leyline.Key, bool) {
	for _, e := range r.Events {
		if x, ok := e.(leyline.KeyEnrolled); ok {
			return x.Key, true
		}
	}
	return leyline.Key{}, false
}

// unfit says why a key cannot be enrolled, or nothing.
func (c *Checker) unfit(k leyline.Key, leaving int) string {
	old, known := c.keys[k.ID]
	_, dead := c.revoked[k.ID]
	switch err := k.Validate(); {
	case err != nil:
		return err.Error()
	case sign.KeyIDOf(k.Public) != k.ID:
		return "the id is not that of the key"
	case dead:
		return "the key was revoked"
	case known && k.Serial <= old.Serial:
		return "the envelope is an old one"
	case known && k.Issuer != old.Issuer:
		return "the key speaks for another issuer"
	case !known && c.valid()-leaving >= leyline.MaxKeys, !known && len(c.keys) >= leyline.MaxKeysEver:
		return "there is no room for another key"
	}
	return ""
}

// valid counts the keys that are good.
func (c *Checker) valid() int { return len(c.keys) - len(c.revoked) }

// revoke derives whether a key ends, and whether another takes its place.
func (c *Checker) revoke(r leyline.Record, x leyline.KeyRevoked) {
	c.report.Revocations++
	v, err := wire.DecodeRevocation(x.Envelope.Payload)
	why := ""
	switch {
	case !c.vouched(x.Envelope, leyline.PayloadRevocation):
		why = "the admin key did not sign it"
	case err != nil:
		why = err.Error()
	default:
		why = c.irrevocable(v)
	}
	var gone leyline.KeyID
	for _, e := range r.Events {
		if w, ok := e.(leyline.KeyWithdrawn); ok {
			gone = w.Key
		}
	}
	if !c.agrees("revocation", gone != "", why) || why != "" {
		return
	}
	same(c, "revocation.key", gone, v.Key)
	next, _ := enrolled(r)
	same(c, "revocation.successor", next.ID, v.Successor.ID)
	c.revoked[v.Key] = r.Seq
	if v.Successor.ID != "" {
		c.keys[v.Successor.ID] = v.Successor
	}
}

func (c *Checker) irrevocable(v leyline.KeyRevocation) string {
	old, known := c.keys[v.Key]
	_, dead := c.revoked[v.Key]
	_, taken := c.keys[v.Successor.ID]
	switch err := v.Validate(); {
	case err != nil:
		return err.Error()
	case !known:
		return "the key was never enrolled"
	case dead:
		return "the key was revoked before"
	case v.Successor.ID == "":
		return ""
	case taken:
		return "the successor is enrolled already"
	case v.Successor.Issuer != old.Issuer:
		return "the successor speaks for another issuer"
	}
	return c.unfit(v.Successor, 1)
}

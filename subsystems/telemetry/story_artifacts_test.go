package telemetry

import l "github.com/esper-plane/esper/leyline"

var artifactStory = []scene{
	{"a policy is imported", "", l.PolicyImported{}, []l.Event{
		l.PolicyAdmitted{Artifact: l.PolicyArtifact{ID: "careful", Version: "3", Architecture: "rules/2", Digest: l.Digest{7}}, By: "aa"},
	}},
	{"its file is asked for and found", "", l.PolicyLoaded{}, []l.Event{
		l.PolicyRequested{Policy: l.PolicyRef{ID: "careful", Version: "3"}, Action: l.PolicyActivate},
		l.PolicyActivated{Policy: l.PolicyRef{ID: "careful", Version: "3"}, Command: "op-1", TookNs: 2e6},
	}},
	{"and found again after a restart", "r1", l.PolicyLoaded{Run: "r1"}, []l.Event{
		l.PolicyConfirmed{Run: "r1", Policy: l.PolicyRef{ID: "careful", Version: "3"}},
	}},
	{"the file of the one in force is another", "r1", l.PolicyLoaded{Run: "r1"}, []l.Event{
		l.PolicyRejected{Run: "r1", Policy: l.PolicyRef{ID: "careful", Version: "3"}, Fault: l.PolicyFileDigest, Detail: "another digest", Suspended: true},
	}},
	{"the settings decide again", "", l.CommandReceived{}, []l.Event{
		l.PolicyReverted{Replaces: l.PolicyRef{ID: "careful", Version: "3"}, Command: "op-2"},
	}},
	{"one that was made for other blueprints is rejected", "", l.CommandReceived{}, []l.Event{
		l.CommandRejected{Run: "r1", Command: "op-3", Kind: l.CommandPolicy, Reason: l.RejectPolicyRegistry, Detail: "blueprints: other names"},
	}},
}

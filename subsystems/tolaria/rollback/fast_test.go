package rollback_test

import (
	"math/rand/v2"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria/rollback"
)

// tier is a state with a budget of some bytes and copies in the fast tier, each of
// ten bytes: a capital letter is a proven snapshot. They were used in the order of
// their places.
func tier(budget uint64, letters ...string) *projections.State {
	s := &projections.State{}
	s.Plane.Config.Tolaria.FastMiB, s.Plane.Config.Tolaria.FastPercent = 1, 1
	s.Plane.FastFree = budget * 100
	used := leyline.Seq(0)
	for i, l := range letters {
		r := history(l)
		r.ID, r.Status = leyline.RunID("run-"+string(rune('1'+i))), leyline.RunStatusOpen
		for j := range r.Snapshots {
			used++
			r.Snapshots[j].Bytes = 10
			r.Snapshots[j].Copies = []projections.Copy{{Tier: leyline.TierFast, Used: used}}
			s.Tolaria.FastBytes += 10
		}
		s.Tolaria.Runs = append(s.Tolaria.Runs, *r)
	}
	return s
}

func TestMakeRoom(t *testing.T) {
	for _, x := range []struct {
		name   string
		s      *projections.State
		bytes  uint64
		want   string
		refuse bool
	}{
		{name: "there is room", s: tier(100, "ABC"), bytes: 70},
		{name: "the oldest goes", s: tier(30, "ABC"), bytes: 10, want: "A"},
		{name: "as many as need be", s: tier(30, "ABCd"), bytes: 10, want: "AB"},
		{name: "never the newest proven one", s: tier(30, "Abc"), bytes: 10, want: "b"},
		{name: "only it is left", s: tier(30, "Abc"), bytes: 20, want: "bc"},
		{name: "larger than what is left", s: tier(30, "Abc"), bytes: 21, refuse: true},
		{name: "larger than the budget", s: tier(30, "abc"), bytes: 31, refuse: true},
		{name: "no budget", s: tier(0), bytes: 1, refuse: true},
		{name: "over all runs", s: tier(40, "AB", "CD"), bytes: 20, want: "AC"},
	} {
		got, fits := rollback.MakeRoom(x.s, x.bytes)
		var names string
		for _, c := range got {
			names += string(c.Snapshot)
		}
		if names != x.want || fits == x.refuse {
			t.Errorf("%s: gives up %q, fits %v; want %q, %v", x.name, names, fits, x.want, !x.refuse)
		}
	}
	for budget, want := range map[uint64]string{50: "", 40: "", 30: "A", 20: "Ac", 10: "AcB", 0: "AcBD"} {
		s := tier(budget, "ABcD")
		s.Tolaria.Runs[0].Rollback.Snapshot = "B"
		var names string
		for _, c := range rollback.Over(s) {
			names += string(c.Snapshot)
		}
		if names != want {
			t.Errorf("a budget of %d gives up %q, want %q", budget, names, want)
		}
	}
	s := tier(30, "ABC")
	s.Tolaria.Runs[0].Rollback.Snapshot = "A"
	if got, _ := rollback.MakeRoom(s, 10); len(got) != 1 || got[0].Snapshot != "B" {
		t.Errorf("gives up %+v while it returns to A", got)
	}
	s.Tolaria.Runs[0].Status = leyline.RunStatusEnded
	if room := rollback.Room(s); room != 30 {
		t.Errorf("an ended run still keeps %d of 30 bytes", 30-room)
	}
}

// TestRoomIsWhatFits holds Room and MakeRoom against each other, and the tier against
// its budget, for tiers drawn at random.
func TestRoomIsWhatFits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		letters := func() (l string) {
			for i := range rng.IntN(6) {
				l += string(rune("Aa"[rng.IntN(2)] + byte(i)))
			}
			return l
		}
		s := tier(uint64(rng.IntN(90)), letters(), letters())
		bytes := uint64(rng.IntN(100))
		victims, fits := rollback.MakeRoom(s, bytes)
		if room := rollback.Room(s); fits != (bytes <= room) {
			t.Fatalf("%d bytes, room for %d, fits %v", bytes, room, fits)
		}
		held := s.Tolaria.FastBytes
		for _, v := range victims {
			held -= v.Bytes
		}
		if fits && held+bytes > s.Plane.FastBudget() && bytes > 0 {
			t.Fatalf("%d of %d bytes after making room for %d", held+bytes, s.Plane.FastBudget(), bytes)
		}
	}
}

func TestBy(t *testing.T) {
	c := leyline.DefaultConfig().Tolaria
	for _, x := range []struct {
		tier   leyline.Tier
		behind bool
		phase  leyline.RollbackPhase
		ms     int64
	}{
		{leyline.TierFast, true, leyline.PhasePrepare, 150}, {leyline.TierFast, true, leyline.PhaseCommit, 500},
		{leyline.TierFast, false, leyline.PhasePrepare, 12_000}, {leyline.TierFull, true, leyline.PhasePrepare, 12_000}, {leyline.TierFull, true, leyline.PhaseCommit, 12_000},
	} {
		if got := rollback.By(x.tier, x.behind, x.phase, &c).Milliseconds(); got != x.ms {
			t.Errorf("%s %s: %d ms, want %d", x.tier, x.phase, got, x.ms)
		}
	}
}

func TestChooseTier(t *testing.T) {
	c := leyline.DefaultConfig().Tolaria
	r := history("A")
	for _, x := range []struct {
		copies []projections.Copy
		late   bool
		want   leyline.Tier
	}{
		{[]projections.Copy{{Tier: leyline.TierFast}, {Tier: leyline.TierFull}}, false, leyline.TierFast},
		{[]projections.Copy{{Tier: leyline.TierFast}, {Tier: leyline.TierFull}}, true, leyline.TierFull},
		{[]projections.Copy{{Tier: leyline.TierFast}}, true, leyline.TierFast},
		{[]projections.Copy{{Tier: leyline.TierFull}}, false, leyline.TierFull},
	} {
		r.Snapshots[0].Copies = x.copies
		if p, _ := rollback.Choose(r, 5, x.late, &c); p.Tier != x.want {
			t.Errorf("%v, late %v: %s, want %s", x.copies, x.late, p.Tier, x.want)
		}
	}
}

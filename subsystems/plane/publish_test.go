package plane

import (
	"context"
	"errors"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// slowSignal lets its first write wait.
type slowSignal struct {
	began, let chan struct{}
	said       []leyline.EmergencyLevel
}

func (s *slowSignal) Set(level leyline.EmergencyLevel, _ string) error {
	if len(s.said) == 0 {
		close(s.began)
		<-s.let
	}
	s.said = append(s.said, level)
	return nil
}

func (s *slowSignal) Get() (leyline.EmergencyLevel, string, error) {
	return leyline.EmergencyUnspecified, "", nil
}

// TestLateWriteIsOvertaken: a write that hangs holds up the next one until its
// deadline, and then writes what that one was to write.
func TestLateWriteIsOvertaken(t *testing.T) {
	s := &slowSignal{began: make(chan struct{}), let: make(chan struct{})}
	p := newPublisher(s)
	p.aim(leyline.EmergencyElevated, "first")
	first := make(chan error)
	go func() { first <- p.write(t.Context()) }()
	<-s.began
	p.aim(leyline.EmergencyHalt, "second")
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("too late")
	cancel(late)
	if err := p.write(ctx); !errors.Is(err, late) {
		t.Errorf("a write that could not have its turn: %v", err)
	}
	close(s.let)
	if err := <-first; err != nil || s.said[len(s.said)-1] != leyline.EmergencyHalt {
		t.Errorf("the signal says %v, %v", s.said, err)
	}
	p.aim(leyline.EmergencyNotice, "third")
	if err := p.write(t.Context()); err != nil || s.said[len(s.said)-1] != leyline.EmergencyNotice {
		t.Errorf("afterwards it says %v, %v", s.said, err)
	}
}

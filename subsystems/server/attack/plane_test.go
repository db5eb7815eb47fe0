package attack_test

import (
	"context"
	"errors"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
	"github.com/esper-plane/esper/testdata"
)

func (f *fort) startPlane() {
	f.Helper()
	f.log = planetest.NewLog()
	c := leyline.DefaultConfig()
	configured, err := planetest.Configured(c)
	kernel, kerr := testdata.Kernel("residual-mlp-16")
	if err = errors.Join(err, kerr); err != nil {
		f.Fatal(err)
	}
	o := planetest.Options(f.log, f.dir)
	o.Bootstrap = func(*projections.State) ([]leyline.Input, error) {
		return []leyline.Input{configured, leylinetest.Blueprint("residual-mlp-16", kernel)}, nil
	}
	f.plane, err = plane.Start(f.Context(), o)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := f.plane.Shutdown(context.Background()); err != nil {
			f.Error(err)
		}
	})
}

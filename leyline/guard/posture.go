package guard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Posture refuses a run whose trainer does not run its framework as the baseline
// demands. Only torch is held to versions and switches; there is no path for
// what is older than the baseline.
func Posture(c *leyline.PostureConfig, framework string, p leyline.Posture) *leyline.Refusal {
	if !slices.Contains(c.Frameworks, framework) {
		return posture("framework", framework, "is not among posture.frameworks "+list(c.Frameworks), "train with one of those, or add it there")
	}
	if kind, _, _ := strings.Cut(p.Device, ":"); len(c.Devices) > 0 && !slices.Contains(c.Devices, kind) {
		return posture("posture.device", p.Device, "is not of the kinds in posture.devices "+list(c.Devices), "use one of those, or add it there")
	}
	if p.Compile == leyline.SwitchOn && len(c.CompileModes) > 0 && !slices.Contains(c.CompileModes, p.CompileMode) {
		return posture("posture.compile_mode", p.CompileMode, "is not among posture.compile_modes "+list(c.CompileModes), "use one of those, or add it there")
	}
	if framework != leyline.FrameworkTorch {
		return nil
	}
	if r := torchVersion(c, p.Version); r != nil {
		return r
	}
	if m := p.Matmul.String(); len(c.MatmulPrecisions) > 0 && !slices.Contains(c.MatmulPrecisions, m) {
		return posture("posture.matmul", m, "is not among posture.matmul_precisions "+list(c.MatmulPrecisions),
			"call torch.set_float32_matmul_precision with one of those, or add it there")
	}
	if field, is, want := c.Unmet(p); field != "" {
		return posture("posture."+field, is.String(), fmt.Sprintf("is not what the baseline demands, %s", want),
			fmt.Sprintf("switch it, or set posture.%s to any", strings.ReplaceAll(field, ".", "_")))
	}
	return nil
}

func torchVersion(c *leyline.PostureConfig, version string) *leyline.Refusal {
	v, err := leyline.ParsePEP440(version)
	if err != nil {
		return posture("posture.version", version, "is no version in the sense of PEP 440", "send torch.__version__")
	}
	oldest, err := leyline.ParsePEP440(c.TorchMin)
	if err != nil || v.Public().Compare(oldest.Public()) < 0 {
		return posture("posture.version", version, "is older than posture.torch_min, "+c.TorchMin, "upgrade torch; there is no path for older ones")
	}
	if c.TorchBelow == "" {
		return nil
	}
	newest, err := leyline.ParsePEP440(c.TorchBelow)
	if err != nil || v.Public().Compare(newest.Public()) >= 0 {
		return posture("posture.version", version, "is not below posture.torch_below, "+c.TorchBelow, "use an older torch, or raise posture.torch_below")
	}
	return nil
}

// Compiled refuses a compile fallback of a run that declared not to compile.
func Compiled(p leyline.Posture) *leyline.Refusal {
	if p.Compile == leyline.SwitchOn {
		return nil
	}
	return refuse(leyline.RefusalCompileOff, "stage", p.Compile.String(),
		"is what the run declared of compilation, so nothing can have fallen back", "declare posture.compile = on when the run is opened")
}

func posture(field, id, reason, hint string) *leyline.Refusal {
	return refuse(leyline.RefusalPosture, field, id, reason, hint)
}

func list(words []string) string { return "[" + strings.Join(words, " ") + "]" }

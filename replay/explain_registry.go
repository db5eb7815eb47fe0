package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

func registryWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.ParametersRegistered:
		return fmt.Sprintf("seed %s owns %s from here on", x.Seed, parametersTold(x.Parameters))
	case leyline.RegistryConflicted:
		return conflictWords(x)
	case leyline.TeacherEnrolled:
		return fmt.Sprintf("teacher %s is registered%s: %s that nobody may update, %s of memory%s", x.Teacher.ID,
			when(x.Replaces != "", " in place of "+string(x.Replaces), ""), parametersTold(x.Teacher.Parameters), size(x.Teacher.Bytes),
			when(x.Over, fmt.Sprintf(", over the %s of kasmina.teacher_memory_mib", size(x.Budget)), ""))
	case leyline.TeacherForgotten:
		return because(fmt.Sprintf("teacher %s is forgotten", x.Teacher), x.Cause)
	case leyline.RegistryReset:
		return because(fmt.Sprintf("the registry of parameters is reset by %q: seeds %v go, %d prefetches are cancelled", x.Issuer, x.Culled, x.Cancelled), x.Reason)
	}
	return ""
}

func conflictWords(x leyline.RegistryConflicted) string {
	switch x.Why {
	case leyline.CountMismatch:
		return fmt.Sprintf("seed %s owns %d numbers and is about to update %d", x.Seed, x.Owned, x.Told)
	case leyline.OwnedByTeacher:
		return fmt.Sprintf("seed %s claims %q, which is owned by teacher %s", x.Seed, x.Parameter, x.Teacher)
	case leyline.OwnedBySeed:
		return fmt.Sprintf("seed %s claims %q, which is owned by seed %s", x.Seed, x.Parameter, x.Owner)
	}
	return fmt.Sprintf("seed %s claims %q, which is owned by the host%s", x.Seed, x.Parameter,
		when(x.Owner != "", fmt.Sprintf(" (seed %s became a part of it)", x.Owner), ""))
}

// parametersTold says how many tensors were declared.
func parametersTold(ps []leyline.Parameter) string {
	if len(ps) == 0 {
		return "not told"
	}
	return fmt.Sprintf("%d tensors of %d numbers", len(ps), leyline.ParameterCount(ps))
}

package leyline

// InputKind implements Input.
func (PlaneStarted) InputKind() InputKind { return InputPlaneStarted }

// InputKind implements Input.
func (ConfigApplied) InputKind() InputKind { return InputConfigApplied }

// InputKind implements Input.
func (KeyAdded) InputKind() InputKind { return InputKeyAdded }

// InputKind implements Input.
func (BlueprintRegistered) InputKind() InputKind { return InputBlueprintRegistered }

// InputKind implements Input.
func (RunOpened) InputKind() InputKind { return InputRunOpened }

// InputKind implements Input.
func (RunClosed) InputKind() InputKind { return InputRunClosed }

// InputKind implements Input.
func (StepObserved) InputKind() InputKind { return InputStepObserved }

// InputKind implements Input.
func (EpochObserved) InputKind() InputKind { return InputEpochObserved }

// InputKind implements Input.
func (SeedProbed) InputKind() InputKind { return InputSeedProbed }

// InputKind implements Input.
func (PolicyAnswered) InputKind() InputKind { return InputPolicyAnswered }

// InputKind implements Input.
func (PolicyFailed) InputKind() InputKind { return InputPolicyFailed }

// InputKind implements Input.
func (CommandReceived) InputKind() InputKind { return InputCommandReceived }

// InputKind implements Input.
func (CommandAcked) InputKind() InputKind { return InputCommandAcked }

// InputKind implements Input.
func (KernelReady) InputKind() InputKind { return InputKernelReady }

// InputKind implements Input.
func (KernelFailed) InputKind() InputKind { return InputKernelFailed }

// InputKind implements Input.
func (TimerFired) InputKind() InputKind { return InputTimerFired }

// InputKind implements Input.
func (EmergencyDelivered) InputKind() InputKind { return InputEmergencyDelivered }

// InputKind implements Input.
func (EmergencyUndelivered) InputKind() InputKind { return InputEmergencyUndelivered }

// InputKind implements Input.
func (DiskMeasured) InputKind() InputKind { return InputDiskMeasured }

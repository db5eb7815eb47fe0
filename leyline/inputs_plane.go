package leyline

// EmergencyDelivered says that the emergency signal was published.
type EmergencyDelivered struct {
	Run    RunID
	Effect EffectID
	Level  EmergencyLevel
	TookNs uint64
}

// EmergencyUndelivered says that it could not be published.
type EmergencyUndelivered struct {
	Run     RunID
	Effect  EffectID
	Level   EmergencyLevel
	Outcome Outcome // FAILED or DEADLINE
	Reason  string
	TookNs  uint64
}

// DiskMeasured is the free space on the disk of the data directory. The plane
// records it only when it changes whether the disk is nearly full.
type DiskMeasured struct {
	Free  uint64 // bytes that the plane may still write
	Total uint64 // bytes of the whole disk
}

package worker

import "container/list"

// Priority is the class of a job. Jobs of a higher class start first; those of
// one class start in the order of their submission.
//
// enum: local because this package imports nothing of ours and the class is never
// stored: whoever submits a job chooses it from the job's kind.
type Priority int8

// The classes. The zero Priority is Normal.
const (
	Background Priority = iota - 1 // work that nobody waits for
	Normal
	Urgent // work with a deadline that other work must not use up
)

// classes is the number of classes.
const classes = 3

// maxOvertakes bounds how often a class is overtaken; the package comment has the
// rule. Urgent jobs that never cease take (16/17)^2 = 0.886 of the starts.
const maxOvertakes = 16

// valid reports whether p is one of the classes.
func (p Priority) valid() bool { return Background <= p && p <= Urgent }

// lane is the index of a class: 0 is the highest.
func (p Priority) lane() int { return int(Urgent - p) }

// String returns the class in lower case.
func (p Priority) String() string {
	if !p.valid() {
		return "unknown"
	}
	return [classes]string{"urgent", "normal", "background"}[p.lane()]
}

// queue holds the jobs that wait, in one lane for each class. Its zero value is
// empty and ready for use.
type queue struct{ lanes [classes]lane }

// lane holds the jobs of one class that wait, in the order of their submission.
type lane struct {
	jobs list.List // of *job. Invariant: their outcome is open
	// overtakes is how many jobs of higher classes have started, in places that
	// the first job here could have taken, since this lane had its last start or
	// was last empty.
	overtakes int
}

// push adds a job at the end of its lane.
func (q *queue) push(j *job) {
	j.place = q.lanes[j.Priority.lane()].jobs.PushBack(j)
}

// drop takes a job out of its lane.
func (q *queue) drop(j *job) {
	l := &q.lanes[j.Priority.lane()]
	l.jobs.Remove(j.place)
	j.place = nil
	if l.jobs.Len() == 0 {
		l.overtakes = 0
	}
}

// first returns the job at the head of a lane, or nil.
func (l *lane) first() *job {
	if l.jobs.Len() == 0 {
		return nil
	}
	return l.jobs.Front().Value.(*job)
}

// urgent returns the job that takes a place which only urgent jobs may take, or
// nil.
func (q *queue) urgent() *job { return q.lanes[Urgent.lane()].first() }

// next returns the job that takes a place which is open to all, or nil: the first
// of the lowest class that has been overtaken maxOvertakes times, otherwise the
// first of the highest class.
func (q *queue) next() *job {
	for i := classes - 1; i > 0; i-- {
		if l := &q.lanes[i]; l.overtakes >= maxOvertakes {
			return l.first()
		}
	}
	for i := range q.lanes {
		if j := q.lanes[i].first(); j != nil {
			return j
		}
	}
	return nil
}

// passed notes that a job of one lane takes a place that the lanes below could
// have had. The job has left its lane.
func (q *queue) passed(taken int) {
	q.lanes[taken].overtakes = 0
	for i := taken + 1; i < classes; i++ {
		if l := &q.lanes[i]; l.jobs.Len() > 0 {
			l.overtakes++
		}
	}
}

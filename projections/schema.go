package projections

// Schema numbers the layout of State. A stored projection of another schema is
// not loaded; the log is folded instead.
const Schema uint32 = 7

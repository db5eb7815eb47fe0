package faultdisk

// Look returns what Image writes: names and contents, with a slash at the end
// of the name of a directory.
func (d *Disk) Look(m Mode, seed uint64) (map[string]string, error) {
	tree, err := d.render(m, seed)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for _, e := range tree {
		if e.node.dir {
			e.path += "/"
		}
		files[e.path] = string(e.data)
	}
	return files, nil
}

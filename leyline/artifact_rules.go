package leyline

// Validate holds weights that come from elsewhere against the rules of the settings. The
// error is a *ConfigError that names each mistake.
func (c RulesConfig) Validate() error {
	all := DefaultConfig() // Invariant: valid, so that what is wrong is of c
	all.Rules = c
	return all.Validate()
}

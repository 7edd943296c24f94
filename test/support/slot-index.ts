// Imported first by tests that compare whole slots, byte for byte and write by write: no CPU number is known to the threads of
// such a file, so each publishes its slot's own index (docs/ABI.md, clause 52), the same in every run.

process.env['COEXIST_NO_FFI'] = '1';

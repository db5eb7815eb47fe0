package wire

import "testing"

func BenchmarkStepRecord(b *testing.B) {
	r := stepRecord()
	payload := mustRecord(b, r)
	b.Run("op=encode", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf, _ = AppendRecord(buf[:0], r)
		}
	})
	b.Run("op=events", func(b *testing.B) {
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			buf, _ = AppendEvents(buf[:0], r.Events)
		}
	})
	b.Run("op=decode", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeRecord(r.Seq, r.At, payload); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("op=guard", func(b *testing.B) {
		b.SetBytes(int64(len(payload)))
		b.ReportAllocs()
		for b.Loop() {
			_ = Guard(payload, recordLimits)
		}
	})
}

func BenchmarkCommand(b *testing.B) {
	payload, err := EncodeCommand(command())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("op=decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeCommand(payload); err != nil {
				b.Fatal(err)
			}
		}
	})
}

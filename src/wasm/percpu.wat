;; The per-CPU operations of docs/ABI.md (clauses 53 and 55), one call each, without a call or a loop, so that nothing
;; interrupts a critical section here. src/wasm/percpu-twin.ts is the same in JavaScript. Numbered injection points are
;; empty in production; a test build puts a call there, and a second comparison.
(module
  (import "area" "memory" (memory 1 65536 shared))
  %inject.import%

  ;; the identity of the thread that this instance belongs to
  (global $self (mut i64) (i64.const 0))
  ;; the first byte that pointers may lead to: behind header, slots and directory
  (global $least (mut i32) (i32.const 0))
  (func (export "become") (param $low i32) (param $high i32) (param $from i32) (param $least i32)
    (global.set $least (local.get $least))
    (global.set $section (i64.shl (i64.extend_i32_u (local.get $from)) (i64.const 32)))
    (global.set $self
      (i64.or
        (i64.extend_i32_u (local.get $low))
        (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)))))

  ;; what the last announcement was, but for its operation; begins where no other copy in this thread does
  (global $section (mut i64) (i64.const 0))

  ;; ---- one step each: no section
  (func (export "add64") (param $at i32) (param $n i32)
    (drop (i64.atomic.rmw.add (local.get $at) (i64.extend_i32_s (local.get $n)))))

  (func (export "add") (param $at i32) (param $n i32)
    (drop (i32.atomic.rmw.add (local.get $at) (local.get $n))))

  (func (export "cas") (param $at i32) (param $expect i32) (param $new i32) (result i32)
    (i32.eq (i32.atomic.rmw.cmpxchg (local.get $at) (local.get $expect) (local.get $new)) (local.get $expect)))

  ;; ---- clause 55, operations 3 to 7: what they do with a, b, c and d is in the table of src/wasm/percpu.ts.
  ;; "word": the CPU's word to hold for the section, 0 for none. "how" is the commit: 0 an ordinary store, 1 an atomic one,
  ;; 2 a CAS. "limit": the last byte offset that a pointer may have. The result is a RUN_ value, or of 3 the pointer over 4.
  (func (export "run")
    (param $op i32) (param $how i32) (param $cs i32) (param $word i32) (param $limit i32)
    (param $v i32) (param $a i32) (param $b i32) (param $c i32) (param $d i32) (result i32)
    (local $seen i32) (local $new i32) (local $result i32) (local $at i32) (local $token i32)
    %inject.1%
    (if (local.get $word)
      (then
        (if (i64.ne
              (i64.atomic.rmw.cmpxchg offset=%lock.owner% (local.get $word) (i64.const 0) (global.get $self))
              (i64.const 0))
          (then (return (i32.const %run.busy%))))
        (local.set $token
          (i32.and (i32.add (i32.load offset=%lock.token% (local.get $word)) (i32.const 1)) (i32.const 0x7fffffff)))
        (i32.store offset=%lock.token% (local.get $word)
          (select (local.get $token) (i32.const 1) (local.get $token)))))
    %inject.2%
    ;; announced before anything is read: a fence that does not see it has stored before what is read here
    (global.set $section (i64.add (global.get $section) (i64.const %section_step%)))
    (i64.atomic.store (local.get $cs) (i64.or (global.get $section) (i64.extend_i32_u (local.get $op))))
    %inject.3%
    (block $end
      (local.set $seen (i32.atomic.load (local.get $v)))
      %inject.4%
      ;; 4: commits by adding, wherever the pointers lead
      (if (i32.eq (local.get $op) (i32.const 4))
        (then
          (local.set $result (i32.const %run.fault%))
          (local.set $at (i32.add (local.get $seen) (local.get $a)))
          ;; the pointer itself, too: a sum may come back into the memory from the other end
          (br_if $end (i32.or (i32.eqz (local.get $seen)) (i32.gt_u (local.get $seen) (local.get $limit))))
          (br_if $end (i32.or (i32.and (local.get $at) (i32.const 3)) (i32.gt_u (local.get $at) (local.get $limit))))
          (br_if $end (i32.lt_u (local.get $at) (global.get $least)))
          (local.set $at (i32.atomic.load (local.get $at)))
          (br_if $end (i32.or (i32.lt_u (local.get $at) (global.get $least)) (i32.gt_u (local.get $at) (local.get $limit))))
          (br_if $end (i32.and (local.get $at) (i32.const 3)))
          (local.set $result (i32.const 0))
          %inject.5%
          (if (i32.eq (local.get $how) (i32.const %commit_cas%))
            (then (drop (i32.atomic.rmw.add (local.get $at) (local.get $b))))
            (else (i32.atomic.store (local.get $at) (i32.add (i32.atomic.load (local.get $at)) (local.get $b)))))
          (br $end)))
      (local.set $result (i32.const %run.compare_failed%))
      (if (i32.eq (local.get $op) (i32.const 3))
        (then
          (br_if $end (i32.eq (local.get $seen) (local.get $a)))
          (local.set $result (i32.const %run.fault%))
          (local.set $at (i32.add (local.get $seen) (local.get $b)))
          (br_if $end (i32.or (i32.eqz (local.get $seen)) (i32.gt_u (local.get $seen) (local.get $limit))))
          (br_if $end (i32.or (i32.lt_u (local.get $at) (global.get $least)) (i32.gt_u (local.get $at) (local.get $limit))))
          (br_if $end (i32.and (i32.or (local.get $at) (local.get $seen)) (i32.const 3)))
          (local.set $new (i32.atomic.load (local.get $at)))
          (local.set $result (i32.shr_u (local.get $seen) (i32.const 2))))
        (else
          (br_if $end (i32.ne (local.get $seen) (local.get $a)))
          (local.set $new (local.get $b))
          (if (i32.eq (local.get $op) (i32.const 6))
            (then (br_if $end (i32.ne (i32.atomic.load (local.get $c)) (local.get $d)))))
          ;; what is stored before the commit is harmless without it
          (if (i32.eq (local.get $op) (i32.const 5))
            (then (i32.store (local.get $c) (local.get $d))))
          (if (i32.eq (local.get $op) (i32.const 7))
            (then (memory.copy (local.get $c) (local.get $d) (local.get $limit))))
          (local.set $result (i32.const 0))))
      %inject.5%
      %compare_twice%
      (if (i32.eqz (local.get $how)) (then (i32.store (local.get $v) (local.get $new)) (br $end)))
      (if (i32.eq (local.get $how) (i32.const %commit_release%)) (then (i32.atomic.store (local.get $v) (local.get $new)) (br $end)))
      (br_if $end
        (i32.eq
          (i32.atomic.rmw.cmpxchg (local.get $v) (local.get $seen) (local.get $new))
          (local.get $seen)))
      (local.set $result (i32.const %run.aborted%)))
    %inject.6%
    (i64.atomic.store (local.get $cs) (i64.const 0))
    (if (local.get $word)
      (then
        (if (i64.ne
              (i64.atomic.rmw.cmpxchg offset=%lock.owner% (local.get $word) (global.get $self) (i64.const 0))
              (global.get $self))
          (then
            (i64.atomic.store offset=%lock.owner% (local.get $word) (i64.const 0))
            (drop (memory.atomic.notify offset=%lock.owner_high% (local.get $word) (i32.const 1)))))))
    (local.get $result)))

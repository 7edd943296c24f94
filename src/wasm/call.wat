;; The hot steps of a call (docs/ABI.md, clauses 61 to 65), one call each; what waits is JavaScript (src/call). Cut between two of
;; these, a call is in a state that the table of cells names. src/wasm/call-twin.ts is the same in JavaScript.
;; "at" is the byte offset of a channel, "cell" of a cell, "bell" of a bell.
(module
  (import "area" "memory" (memory 1 65536 shared))

  ;; the identity of the thread that this instance belongs to, the bell of slot 0, and how far it is to the next slot's
  (global $self (mut i64) (i64.const 0))
  (global $bells (mut i32) (i32.const 0))
  (global $stride (mut i32) (i32.const 0))
  (func (export "become") (param $low i32) (param $high i32) (param $bells i32) (param $stride i32)
    (global.set $bells (local.get $bells))
    (global.set $stride (local.get $stride))
    (global.set $self
      (i64.or
        (i64.extend_i32_u (local.get $low))
        (i64.shl (i64.extend_i32_u (local.get $high)) (i64.const 32)))))

  ;; ---- clause 61: what the sleeper is to see has been stored before
  (func $ring (export "ring") (param $bell i32)
    (if (i32.eqz (i32.atomic.load (local.get $bell))) (then (return)))
    (drop (i32.atomic.rmw.cmpxchg (local.get $bell) (i32.const 1) (i32.const 0)))
    (drop (memory.atomic.notify (local.get $bell) (i32.const -1))))

  (func $ring_slot (param $slot i32)
    (call $ring (i32.add (global.get $bells) (i32.mul (local.get $slot) (global.get $stride)))))

  (func $open (param $at i32) (param $epoch i32) (result i32)
    (i32.and
      (i32.eq (i32.atomic.load offset=%channel.epoch% (local.get $at)) (local.get $epoch))
      (i64.ne (i64.atomic.load offset=%channel.server% (local.get $at)) (i64.const 0))))

  ;; ---- clause 64: the first free cell from "hint" on; -1 where there is none, -2 where the epoch is another or nobody serves.
  ;; The ticket moves on before anything is written, so what is late for the last call answers nobody.
  (func (export "claim") (param $at i32) (param $cells i32) (param $bytes i32) (param $hint i32) (param $epoch i32) (result i32)
    (local $left i32) (local $cell i32)
    (if (i32.eqz (call $open (local.get $at) (local.get $epoch))) (then (return (i32.const -2))))
    (local.set $left (local.get $cells))
    (loop $next
      (if (i32.eqz (local.get $left)) (then (return (i32.const -1))))
      (local.set $cell
        (i32.add
          (i32.add (local.get $at) (i32.const %channel_cells%))
          (i32.mul (local.get $hint) (local.get $bytes))))
      (if (i64.eqz (i64.atomic.load offset=%cell.caller% (local.get $cell)))
        (then
          (if (i64.eqz (i64.atomic.rmw.cmpxchg offset=%cell.caller% (local.get $cell) (i64.const 0) (global.get $self)))
            (then
              (i32.atomic.store offset=%cell.state% (local.get $cell)
                (i32.and
                  (i32.add (i32.load offset=%cell.state% (local.get $cell)) (i32.const 16))
                  (i32.const -16)))
              (return (local.get $hint))))))
      (local.set $hint (i32.add (local.get $hint) (i32.const 1)))
      (if (i32.eq (local.get $hint) (local.get $cells)) (then (local.set $hint (i32.const 0))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; ---- clause 65: REQUEST, then the bit, then the bell. 0 where nobody serves that epoch any more: either this sees that, or who
  ;; ends the epoch sees the request
  (func (export "post") (param $at i32) (param $cell i32) (param $k i32) (param $epoch i32) (param $method i32)
    (param $slot i32) (param $port i32) (param $bell i32) (result i32)
    (i32.store offset=%cell.epoch% (local.get $cell) (local.get $epoch))
    (i32.store offset=%cell.method% (local.get $cell) (local.get $method))
    (i32.store offset=%cell.slot% (local.get $cell) (local.get $slot))
    (i32.store offset=%cell.port% (local.get $cell) (local.get $port))
    (i32.atomic.store offset=%cell.state% (local.get $cell)
      (i32.or (i32.and (i32.load offset=%cell.state% (local.get $cell)) (i32.const -16)) (i32.const 1)))
    (drop
      (i32.atomic.rmw.or offset=%channel.ready% (local.get $at) (i32.shl (i32.const 1) (local.get $k))))
    (call $ring (local.get $bell))
    (call $open (local.get $at) (local.get $epoch)))

  ;; Looks at a cell's state until it is neither this, which is REQUEST, nor the same as TAKEN: how many looks were left.
  (func (export "spin") (param $at i32) (param $request i32) (param $times i32) (result i32)
    (loop $again
      (if (i32.eqz (local.get $times)) (then (return (i32.const 0))))
      (if (i32.gt_u (i32.sub (i32.atomic.load (local.get $at)) (local.get $request)) (i32.const 1))
        (then (return (local.get $times))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br $again))
    (unreachable))

  ;; ---- clause 64: a cell is left by its caller; who waits for one is woken
  (func (export "free") (param $at i32) (param $cell i32)
    (i64.atomic.store offset=%cell.caller% (local.get $cell) (i64.const 0))
    (call $freed (local.get $at)))

  (func $freed (export "freed") (param $at i32)
    (if (i32.eqz (i32.atomic.load offset=%channel.waiters% (local.get $at))) (then (return)))
    (i32.atomic.store offset=%channel.waiters% (local.get $at) (i32.const 0))
    (drop (i32.atomic.rmw.add offset=%channel.freed% (local.get $at) (i32.const 1)))
    (drop (memory.atomic.notify offset=%channel.freed% (local.get $at) (i32.const -1))))

  ;; ---- clause 65, the server. The bits of the cells to look at.
  (func (export "ready") (param $at i32) (result i32)
    (if (i32.eqz (i32.atomic.load offset=%channel.ready% (local.get $at))) (then (return (i32.const 0))))
    (i32.atomic.rmw.xchg offset=%channel.ready% (local.get $at) (i32.const 0)))

  ;; Looks at a word until it is not 0.
  (func (export "spin_ready") (param $at i32) (param $times i32) (result i32)
    (loop $again
      (if (i32.eqz (local.get $times)) (then (return (i32.const 0))))
      (if (i32.atomic.load offset=%channel.ready% (local.get $at)) (then (return (local.get $times))))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br $again))
    (unreachable))

  ;; The state with TAKEN, or 0 where there is no request for this epoch. A request for another one ends here.
  (func (export "take") (param $cell i32) (param $epoch i32) (result i32)
    (local $seen i32) (local $taken i32) (local $of i32)
    (local.set $seen (i32.atomic.load offset=%cell.state% (local.get $cell)))
    (if (i32.ne (i32.and (local.get $seen) (i32.const 15)) (i32.const 1)) (then (return (i32.const 0))))
    ;; before the exchange: behind it, a caller whose epoch is over may leave the cell to the next one
    (local.set $of (i32.atomic.load offset=%cell.epoch% (local.get $cell)))
    (local.set $taken (i32.add (local.get $seen) (i32.const 1)))
    (if (i32.ne
          (i32.atomic.rmw.cmpxchg offset=%cell.state% (local.get $cell) (local.get $seen) (local.get $taken))
          (local.get $seen))
      (then (return (i32.const 0))))
    (if (i32.eq (local.get $of) (local.get $epoch)) (then (return (local.get $taken))))
    (drop (call $leave (local.get $cell) (local.get $taken) (i32.const 5)))
    (i32.const 0))

  ;; Leaves TAKEN for another phase, then looks at the caller: 1 rung; 2 it has given up, and the cell is to be freed; 0 the call is not
  ;; there any more.
  (func $leave (export "leave") (param $cell i32) (param $taken i32) (param $phase i32) (result i32)
    (if (i32.ne
          (i32.atomic.rmw.cmpxchg offset=%cell.state% (local.get $cell)
            (local.get $taken)
            (i32.or (i32.and (local.get $taken) (i32.const -16)) (local.get $phase)))
          (local.get $taken))
      (then (return (i32.const 0))))
    (if (i64.lt_s (i64.atomic.load offset=%cell.caller% (local.get $cell)) (i64.const 0))
      (then (return (i32.const 2))))
    (call $ring_slot (i32.load offset=%cell.slot% (local.get $cell)))
    (i32.const 1)))

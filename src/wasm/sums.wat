;; Sums of many words over all blocks (docs/ABI.md, clause 58), apart from the transitions, which every thread compiles when it
;; attaches. src/wasm/sums.ts has the same in JavaScript. Names between percent signs are replaced at build time.
(module
  (import "area" "memory" (memory 1 65536 shared))

  ;; never beyond the table, whatever somebody wrote there
  (func $high_water (result i32)
    (local $water i32) (local $capacity i32)
    (local.set $water (i32.atomic.load offset=%header.slot_high_water% (i32.const 0)))
    (local.set $capacity (i32.atomic.load offset=%header.slot_capacity% (i32.const 0)))
    (select (local.get $water) (local.get $capacity) (i32.lt_u (local.get $water) (local.get $capacity))))

  ;; ---- the eight words of a 64-byte line of every block below high water, each summed by itself, so that a line is fetched once
  (func (export "sum_line") (param $offset i32) (result %line.types%)
    (local $at i32) (local $stride i32) (local $left i32) %line.locals%
    (local.set $at
      (i32.add (local.get $offset) (i32.atomic.load offset=%header.block_offset% (i32.const 0))))
    (local.set $stride (i32.atomic.load offset=%header.block_stride% (i32.const 0)))
    (local.set $left (call $high_water))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        %line.add%
        (local.set $at (i32.add (local.get $at) (local.get $stride)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    %line.sums%)

  ;; and of four lines: blocks lie so far apart that each line is a miss, and neighbours are fetched together
  (func (export "sum_lines") (param $offset i32) (result %lines.types%)
    (local $at i32) (local $stride i32) (local $left i32) %lines.locals%
    (local.set $at
      (i32.add (local.get $offset) (i32.atomic.load offset=%header.block_offset% (i32.const 0))))
    (local.set $stride (i32.atomic.load offset=%header.block_stride% (i32.const 0)))
    (local.set $left (call $high_water))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        %lines.add%
        (local.set $at (i32.add (local.get $at) (local.get $stride)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $next)))
    %lines.sums%))

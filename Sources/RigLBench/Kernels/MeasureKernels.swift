internal import CSparseKernels
import RigLCore

/// The kernels' argument checks are this library's own mistakes when they fail.
func expectOK(_ status: csk_status, _ operation: StaticString) {
  trap(unless: status == csk_status_ok, "\(operation) returned status \(status.rawValue)")
}

/// Runs multiply-adds in registers; returns how many floating-point operations they were.
func multiplyAdds(iterations: Int) -> Double {
  var (sum, lanes) = (Float(0), Int64(0))
  expectOK(
    unsafe csk_measure_fma(Int64(iterations), 0.5, 0.5, &sum, &lanes), "csk_measure_fma")
  return 2 * Double(lanes) * Double(iterations)
}

extension Block where Element == Float {
  /// Reads the first `count` elements `passes` times over.
  func read(count: Int, passes: Int) {
    trap(unless: count <= self.count, "read: \(count) of \(self.count) elements")
    var bits: UInt32 = 0
    expectOK(
      unsafe csk_measure_read(base, Int64(count), Int64(passes), &bits), "csk_measure_read")
  }

  /// Copies the first half of the first `count` elements onto the second, `passes` times over.
  func copyHalf(count: Int, passes: Int) {
    trap(unless: count <= self.count, "copyHalf: \(count) of \(self.count) elements")
    let status = unsafe csk_measure_copy(
      base, base + count / 2, Int64(count / 2), Int64(passes))
    expectOK(status, "csk_measure_copy")
  }
}

/// Whether dense products are BLIS's, or a plain loop's.
var denseIsBLIS: Bool { csk_dense_is_blis() }

/// A dense product C = op(A) op(B), row-major: (m, k) times (k, n).
@safe
struct DenseProduct {
  let (m, n, k): (Int, Int, Int)
  let a: Block<Float>
  let b: Block<Float>
  let c: Block<Float>
  /// Whether A lies in memory as (k, m).
  var transposeA = false
  /// Whether B lies in memory as (n, k).
  var transposeB = false

  /// Computes rows of C.
  func run(rows: Range<Int>) {
    trap(
      unless: a.count == m * k && b.count == k * n && c.count == m * n && rows.upperBound <= m,
      "DenseProduct: rows \(rows) of \(m) x \(n) x \(k)")
    let first = rows.lowerBound
    let status = unsafe csk_sgemm(
      transposeA, transposeB, Int64(rows.count), Int64(n), Int64(k), 1,
      a.base + (transposeA ? first : first * k), Int64(transposeA ? m : k), b.base,
      Int64(transposeB ? k : n), 0, c.base + first * n, Int64(n))
    expectOK(status, "csk_sgemm")
  }
}

/// A selection of the largest magnitudes and its memory.
@safe
final class Selection {
  private var selection = unsafe csk_selection()
  private let keys: Block<UInt32>
  private let positions: Block<Int64>
  private let k: Int

  /// Room for the `k` largest.
  init(of k: Int) {
    self.k = k
    let capacity = Int(csk_selection_capacity(Int64(k)))
    keys = Block(count: capacity)
    positions = Block(count: capacity)
  }

  /// Selects among all values of a block, offered in one piece.
  func run(_ values: Block<Float>) {
    var status = unsafe csk_selection_begin(
      &selection, csk_select_largest, Int64(k), keys.base, positions.base, Int64(keys.count))
    expectOK(status, "csk_selection_begin")
    status = unsafe csk_selection_offer(
      &selection, values.base, Int64(values.count), 0, nil, 0)
    expectOK(status, "csk_selection_offer")
    status = unsafe csk_selection_finish(&selection)
    expectOK(status, "csk_selection_finish")
  }

  /// Whether the last run selected k different values of which none is smaller than one left out.
  func isRight(_ values: Block<Float>) -> Bool {
    let count = unsafe Int(selection.count)
    var (smallest, previous) = (Float.infinity, Int64(-1))
    for index in 0..<count {
      guard positions[index] > previous, positions[index] < Int64(values.count) else {
        return false
      }
      previous = positions[index]
      smallest = min(smallest, values[Int(previous)].magnitude)
    }
    var larger = 0
    for index in 0..<values.count where unsafe values.base[index].magnitude > smallest {
      larger += 1
    }
    return count == k && larger < k
  }
}

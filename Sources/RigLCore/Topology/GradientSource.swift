/// The dense gradient dL/dW of a layer whose connections move, at every position, connected or not:
/// what growing by gradient looks at, a panel at a time.
///
/// A stage answers for it between its backward pass and the next forward pass, while its input and
/// the gradient of its output are at hand. dL/dW is that of the data loss alone, without weight decay.
/// Panels are written, scored and forgotten, so that nothing as large as the dense layer is ever in
/// memory. A stage that multiplies with ``SparseProduct`` has one: the product.
public protocol GradientSource {
  /// The connections that move.
  var connections: SparseWeights { get }
  /// How large panels are, and the memory that is needed to write them, for batches as large as the
  /// stage takes and a number of threads. Results must not depend on it.
  func panels(threads: Int) -> GradientPanels
  /// Brings what all panels read into `shared`, of as many elements as its panels need:
  /// called once before them. By default nothing.
  func prepareGradient(in shared: inout MutableSpan<Float>, _ pool: ThreadPool)
  /// Writes the gradient of some outputs with respect to some inputs; several threads call it at
  /// once, each for other panels and with a scratch of its own.
  ///
  /// - Parameters:
  ///   - outputs: the panel's rows of the weight.
  ///   - inputs: the panel's columns of the weight.
  ///   - panel: (outputs, inputs), row by row.
  ///   - shared: what ``prepareGradient(in:_:)`` wrote.
  ///   - scratch: as many elements as its panels need, of any value.
  func writeGradient(
    outputs: Range<Int>, inputs: Range<Int>, into panel: inout MutableSpan<Float>,
    shared: Span<Float>, scratch: inout MutableSpan<Float>)
  /// The gradient at one position; asked for new connections whose weight begins with it.
  func gradient(output: Int, input: Int) -> Float
  /// How much goes in and out on the batch, by which candidates for growth are drawn: Σ |x| of each input
  /// channel, over its pixels and not by tap, and Σ |δ| of each output; by default alike everywhere.
  func activity(_ pool: ThreadPool) -> (inputs: [Double], outputs: [Double])
  /// The gradients at some ascending positions, output · inputs + input: by default one after the other.
  func gradients(at positions: [Int64], _ pool: ThreadPool) -> [Float]
}

extension GradientSource {
  /// Nothing, unless the source says otherwise.
  public func prepareGradient(in shared: inout MutableSpan<Float>, _ pool: ThreadPool) {}

  /// Alike everywhere, unless the source says otherwise.
  public func activity(_ pool: ThreadPool) -> (inputs: [Double], outputs: [Double]) {
    (
      [Double](repeating: 1, count: connections.inputs),
      [Double](repeating: 1, count: connections.outputs)
    )
  }

  /// One after the other, unless the source has a quicker way.
  public func gradients(at positions: [Int64], _ pool: ThreadPool) -> [Float] {
    positions.map { position in
      let (output, input) = Int(position).quotientAndRemainder(dividingBy: connections.inputs)
      return gradient(output: output, input: input)
    }
  }
}

/// The cut of a layer's dense gradient into panels, and the memory that writing them needs.
public struct GradientPanels: Sendable {
  /// Outputs of a panel, at most.
  package let rows: Int
  /// Inputs of a panel, at most.
  package let columns: Int
  /// Floats of scratch for each thread.
  package let scratch: Int
  /// Floats that all panels read.
  package let shared: Int

  /// Panels of 128 × 1024 positions are long enough for a dense product to be quick, and small enough
  /// to be scored from the cache.
  public init(rows: Int = 128, columns: Int = 1024, scratch: Int = 0, shared: Int = 0) {
    trap(
      unless: rows > 0 && columns > 0 && scratch >= 0 && shared >= 0,
      "GradientPanels: \(rows) × \(columns) positions, \(scratch) and \(shared) floats of memory")
    (self.rows, self.columns, self.scratch, self.shared) = (rows, columns, scratch, shared)
  }
}

extension MutableSpan where Element == Float {
  /// The first element, for the kernels' wrappers: valid as long as the span's memory is.
  var base: UnsafeMutablePointer<Float> {
    mutating get {
      guard let base = unsafe withUnsafeMutableBufferPointer({ $0.baseAddress }) else {
        trap("MutableSpan: no memory")
      }
      return unsafe base
    }
  }
}

extension Span where Element == Float {
  /// The first element, for the kernels' wrappers: valid as long as the span's memory is.
  var base: UnsafePointer<Float> {
    guard let base = unsafe withUnsafeBufferPointer({ $0.baseAddress }) else {
      trap("Span: no memory")
    }
    return unsafe base
  }
}

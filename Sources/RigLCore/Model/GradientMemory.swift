/// The memory that gradients of activations take turns in: two buffers as large as the largest
/// gradient, since a layer reads one and writes the other.
final class GradientMemory {
  private let storages = [Tensor.Storage(count: 0), Tensor.Storage(count: 0)]
  private var turn = 0
  /// The memory of ``GradientParts``: a layer is done with it when the next one's turn comes.
  let parts = Tensor.Storage(count: 0)

  /// The buffer that the previous call did not give out.
  func next() -> Tensor.Storage {
    turn = 1 - turn
    return storages[turn]
  }

  /// The memory of branches of residual blocks, whose own input and output gradients lie here; and
  /// that of their shortcuts. Blocks take turns, so one of each serves all.
  private(set) lazy var inner: GradientMemory = GradientMemory()
  private(set) lazy var side: GradientMemory = GradientMemory()

  init() {}

  /// Bytes held.
  var bytes: Int { storages.reduce(0) { $0 + $1.buffer.count * MemoryLayout<Float>.stride } }
}

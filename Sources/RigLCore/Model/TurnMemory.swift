/// Memory that layers take turns in: two buffers as large as the largest tensor, since a layer reads
/// one and writes the other. Gradients of activations lie in one, and, where nothing will be trained,
/// the outputs of layers on planes in another.
final class TurnMemory {
  private let storages = [Tensor.Storage(count: 0), Tensor.Storage(count: 0)]
  private var turn = 0
  /// The memory of ``GradientParts``: a layer is done with it when the next one's turn comes.
  let parts = Tensor.Storage(count: 0)

  /// The buffer that the previous call did not give out.
  func next() -> Tensor.Storage {
    turn = 1 - turn
    return storages[turn]
  }

  /// The memory of branches of residual blocks, for what only the branch sees; and that of their
  /// shortcuts. Blocks take turns, so one of each serves all.
  private(set) lazy var inner: TurnMemory = TurnMemory()
  private(set) lazy var side: TurnMemory = TurnMemory()

  init() {}
}

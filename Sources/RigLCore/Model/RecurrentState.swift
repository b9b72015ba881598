/// What a recurrent layer carries from one window of its streams to the next: the state after the last
/// step, of an LSTM also the cell.
package final class RecurrentState {
  /// The layer's name.
  package let name: String
  /// (parts, groups, features, lanes), as tensors of one step lie in memory.
  package var values: AlignedBuffer<Float>

  init(name: String, count: Int) {
    self.name = name
    values = AlignedBuffer(count: count)
  }
}

/// A stage that remembers, from one window of its streams to the next.
protocol RecurrentStage: Stage {
  /// What it carries on; nil without streams.
  var state: RecurrentState? { get }
}

extension Model {
  /// Begins all streams anew: with states of 0.
  package func resetStates() {
    for index in 0..<states.count { states[index].values.fill(0) }
  }
}

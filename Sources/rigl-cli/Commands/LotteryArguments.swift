import ArgumentParser
import RigLCore

/// The settings of lottery tickets.
struct LotteryArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Rounds of training, pruning and rewinding; 1: one-shot.", valueName: "n"))
  var lotteryRounds: PlacedArgument?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The step that rounds go back to; 0: the initialisation.", valueName: "n"))
  var rewindStep: PlacedArgument?

  @Option(
    help: ArgumentHelp(
      "The ticket itself, rewound, or a control: fresh, shuffled.", valueName: "name"))
  var ticketControl: PlacedArgument?

  @Option(
    help: ArgumentHelp("What moves the ticket's connections: static, rigl.", valueName: "name"))
  var ticketMethod: PlacedArgument?

  /// The settings among these.
  var given: [GivenSetting] {
    [
      GivenSetting(.lotteryRounds, lotteryRounds), GivenSetting(.rewindStep, rewindStep),
      GivenSetting(.ticketControl, ticketControl), GivenSetting(.ticketMethod, ticketMethod),
    ].compactMap { $0 }
  }
}

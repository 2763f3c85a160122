"""A strategy for a test: a PositionExecutor, closed by its time limit, and an OrderExecutor that chases the price."""

import os
from decimal import Decimal

from hummingbot.connector.connector_base import ConnectorBase
from hummingbot.core.data_type.common import MarketDict, OrderType, PositionAction, TradeType
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from hummingbot.strategy_v2.executors.order_executor.data_types import (
    ExecutionStrategy,
    LimitChaserConfig,
    OrderExecutorConfig,
)
from hummingbot.strategy_v2.executors.position_executor.data_types import PositionExecutorConfig, TripleBarrierConfig
from hummingbot.strategy_v2.models.executor_actions import CreateExecutorAction
from pydantic import Field


class ExecutorsConfig(StrategyV2ConfigBase):
    """Which market; the rest is fixed."""

    script_file_name: str = os.path.basename(__file__)
    controllers_config: list[str] = Field(default=[])
    connector: str = "paradex_perpetual_sandbox"
    trading_pair: str = "BTC-USDC"

    def update_markets(self, markets: MarketDict) -> MarketDict:
        return markets.add_or_update(self.connector, self.trading_pair)


class Executors(StrategyV2Base):
    """Starts both executors at once and logs how each ended."""

    def __init__(self, connectors: dict[str, ConnectorBase], config: ExecutorsConfig) -> None:
        super().__init__(connectors, config)
        self.config: ExecutorsConfig = config
        self._started = False
        self._reported: set[str] = set()

    def on_tick(self) -> None:
        if not self._started:
            self._started = True
            for executor in (self._position(), self._order()):
                self.executor_orchestrator.execute_action(CreateExecutorAction(executor_config=executor))
        self.update_executors_info()
        for info in self.get_all_executors():
            if info.is_done and info.id not in self._reported:
                self._reported.add(info.id)
                ending = info.close_type.name if info.close_type is not None else "nothing"
                self.logger().info(f"executor {info.type} ended by {ending}, filled {info.filled_amount_quote}")

    def _position(self) -> PositionExecutorConfig:
        return PositionExecutorConfig(
            timestamp=self.current_timestamp,
            connector_name=self.config.connector,
            trading_pair=self.config.trading_pair,
            side=TradeType.BUY,
            amount=Decimal("0.03"),
            leverage=10,
            triple_barrier_config=TripleBarrierConfig(
                open_order_type=OrderType.MARKET, stop_loss=Decimal("0.2"), time_limit=5
            ),
        )

    def _order(self) -> OrderExecutorConfig:
        return OrderExecutorConfig(
            timestamp=self.current_timestamp,
            connector_name=self.config.connector,
            trading_pair=self.config.trading_pair,
            side=TradeType.BUY,
            amount=Decimal("0.02"),
            position_action=PositionAction.OPEN,
            execution_strategy=ExecutionStrategy.LIMIT_CHASER,
            chaser_config=LimitChaserConfig(distance=Decimal("0.0001"), refresh_threshold=Decimal("0.0001")),
            leverage=10,
        )

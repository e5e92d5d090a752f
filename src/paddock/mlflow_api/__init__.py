"""MLflow's REST API under `/api/2.0/mlflow` and `/ajax-api`, for its clients as they are.

- A handler reads a message, calls a service in the caller's name and describes the result, no more.
- What MLflow does silently is done here: long values are cut, unknown fields skipped, names checked its way.
- Errors have MLflow's codes and words, given in one place.
- A URI that a client sends is text. Nothing here opens it.
"""

from paddock.mlflow_api.errors import answer_problem, is_mlflow_path
from paddock.mlflow_api.routes import routes

__all__ = ["answer_problem", "is_mlflow_path", "routes"]

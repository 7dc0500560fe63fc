import numpy as np, pandas as pd, pyarrow.parquet as pq
A=np.arange(20)+.5
pd.DataFrame({"a":A,"b":A**2},index=pd.MultiIndex.from_arrays([range(20),list("ab")*10],names=["i","label"])).to_parquet("/tmp/files/x.parquet")
s=pq.read_schema("/tmp/files/x.parquet"); print(s.names, s.pandas_metadata["index_columns"])
from allmodes.kinds.files import ParquetConfig
d=ParquetConfig(path="/tmp/files/x.parquet").build(); print(d.origin, d.units.columns)
